goroutine 11264 [signal wait]:
__sigtimedwait(...)
	./signal/../sysdeps/unix/sysv/linux/sigtimedwait.c:31 +0x72
wait_for_end(...)
	/src/demo/server.c:191
serve(...)
	/src/demo/server.c:221
main(...)
	/src/demo/server.c:254 +0x40a
__libc_start_call_main(...)
	./csu/../sysdeps/nptl/libc_start_call_main.h.c:58 +0x7a
__libc_start_main(...)
	./csu/../csu/libc-start.c:360 +0x85
_start(...)
	??:0 +0x21

goroutine 11269 [select]:
__poll(...)
	./io/../sysdeps/unix/sysv/linux/poll.c:29 +0x4f
libmicrohttpd.so.12.60.0+0x10f0a(...)
	??:0
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11285 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11286 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11287 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11288 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11289 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11292 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11293 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11294 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11295 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c

goroutine 11296 [cond wait]:
__futex_abstimed_wait_common64(...)
	./nptl/./nptl/futex-internal.c:57
__futex_abstimed_wait_common(...)
	./nptl/./nptl/futex-internal.c:87 +0xc6
__pthread_cond_wait_common(...)
	./nptl/./nptl/pthread_cond_wait.c:503
pthread_cond_wait(...)
	./nptl/./nptl/pthread_cond_wait.c:618 +0x1e8
wait_for_cancel(...)
	/src/demo/steps.c:77 +0x2b
worker(...)
	/src/demo/steps.c:210 +0x3e
start_thread(...)
	./nptl/./nptl/pthread_create.c:442 +0x305
__clone3(...)
	./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S.c:81 +0x2c
