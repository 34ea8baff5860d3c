/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * mixcpp [THREADS]: as mix, for C++: the standard library's waits, and frames that only C++ has
 * (templates, lambdas, virtual functions, destructors during unwinding). Truth names functions
 * without their scope and arguments, as __func__ does.
 */
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "cell.h"

namespace patient
{

std::mutex mutex;
std::shared_mutex shared_mutex;
std::once_flag once;

void sleep_for_ever()
{
	nanosleep(&forever, nullptr);
}

FRAME void hold_locks()
{
	mutex.lock();
	shared_mutex.lock();
	BLOCK("sleep", nanosleep(&forever, nullptr));
}

FRAME void own_once()
{
	std::call_once(once, [] { BLOCK("sleep", nanosleep(&forever, nullptr)); });
}

FRAME void wait_lock()
{
	BLOCK("mutex lock", (mutex.lock(), 0));
}

FRAME void wait_lock_guard()
{
	BLOCK("mutex lock", (std::lock_guard<std::mutex>(mutex), 0));
}

FRAME void wait_shared()
{
	BLOCK("rwlock lock", (shared_mutex.lock_shared(), 0));
}

FRAME void wait_cond()
{
	std::condition_variable cond;
	std::mutex own;
	std::unique_lock<std::mutex> lock(own);

	BLOCK("cond wait", (cond.wait(lock), 0));
}

FRAME void wait_cond_predicate()
{
	std::condition_variable cond;
	std::mutex own;
	std::unique_lock<std::mutex> lock(own);
	volatile bool done = false;

	BLOCK("cond wait", (cond.wait(lock, [&] { return done; }), 0));
}

FRAME void wait_call_once()
{
	BLOCK("once", (std::call_once(once, [] {}), 0));
}

FRAME void wait_join()
{
	std::thread thread(sleep_for_ever);

	BLOCK("join", (thread.join(), 0));
}

FRAME void wait_future()
{
	std::future<int> future = std::async(std::launch::async, [] {
		sleep_for_ever();
		return 1;
	});

	BLOCK("-", (future.wait(), 0));
}

FRAME void wait_sleep()
{
	BLOCK("sleep", (std::this_thread::sleep_for(std::chrono::hours(24)), 0));
}

FRAME void walk_lambda()
{
	auto lambda = [](int depth) FRAME {
		BLOCK("sleep", nanosleep(&forever, nullptr));
		return depth;
	};

	VIA(lambda(1));
}

FRAME void walk_function()
{
	std::function<int(int)> function = [](int depth) FRAME {
		BLOCK("sleep", nanosleep(&forever, nullptr));
		return depth;
	};

	VIA(function(1));
}

template <typename Key, typename Value> struct table {
	std::map<Key, std::vector<Value>> entries;

	FRAME size_t visit(const Key &key)
	{
		BLOCK("sleep", nanosleep(&forever, nullptr));
		return entries[key].size();
	}
};

FRAME void walk_template()
{
	table<std::string, std::pair<int, long>> t;

	VIA(t.visit("key"));
}

struct base {
	virtual ~base() = default;
	virtual int act() const = 0;
};

struct derived : base {
	FRAME int act() const override
	{
		BLOCK("sleep", nanosleep(&forever, nullptr));
		return 1;
	}
};

FRAME void walk_virtual()
{
	std::unique_ptr<base> object(new derived);

	VIA(object->act());
}

struct blocks_at_end {
	FRAME ~blocks_at_end()
	{
		BLOCK("sleep", nanosleep(&forever, nullptr));
	}
};

FRAME void thrower()
{
	blocks_at_end object;

	/* Not VIA: the frame is left by its landing pad, which has other lines. */
	throw std::string("unwinding");
}

FRAME void walk_unwinding()
{
	try {
		thrower();
	} catch (const std::string &) {
	}
}

FRAME void walk_catch()
{
	try {
		throw 1;
	} catch (int) {
		BLOCK("sleep", nanosleep(&forever, nullptr));
	}
}

} // namespace patient

static const struct cell_type first_types[] = {
	{ "holder", patient::hold_locks },
	{ "once-owner", patient::own_once },
};

static const struct cell_type types[] = {
	{ "lock", patient::wait_lock },
	{ "lock-guard", patient::wait_lock_guard },
	{ "shared", patient::wait_shared },
	{ "cond", patient::wait_cond },
	{ "cond-pred", patient::wait_cond_predicate },
	{ "call-once", patient::wait_call_once },
	{ "join", patient::wait_join },
	{ "future", patient::wait_future },
	{ "sleep", patient::wait_sleep },
	{ "lambda", patient::walk_lambda },
	{ "function", patient::walk_function },
	{ "template", patient::walk_template },
	{ "virtual", patient::walk_virtual },
	{ "unwinding", patient::walk_unwinding },
	{ "catch", patient::walk_catch },
};

int main(int argc, char **argv)
{
	workload_init();
	cell_start_one(&first_types[0]);
	cell_start_one(&first_types[1]);
	cells_run(types, sizeof(types) / sizeof(types[0]),
		  argc == 2 ? parse_long(argv[1], 1, 10000) : 32);
	return 0;
}
