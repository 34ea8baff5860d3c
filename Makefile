# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# make            build/loiter          make demo    the patient, shown by loiter (root)
# make test       every test (root)     make lint    format, tidy, cppcheck, walls between the rooms
# make bench      measured claims       make deps    install what is needed (apt or dnf; root)
# make install    PREFIX, DESTDIR       make clean
#
# V=1 shows the commands; SAN=address,undefined builds with sanitizers, in a directory of its own.

V ?= 0
SAN ?=
CC ?= cc
CLANG ?= $(firstword $(shell command -v clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 2>/dev/null) clang)
BPFTOOL ?= $(firstword $(shell ./deps.sh bpftool) bpftool)
PROTOC_C ?= protoc-c
PREFIX ?= /usr/local
DESTDIR ?=
ARCH := $(shell uname -m)

comma := ,
ifneq ($(SAN),)
B ?= build/san-$(subst $(comma),-,$(SAN))
SANFLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
else
B ?= build
endif
ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' "$(1)" "$(2)"
endif

CFLAGS ?= -O2 -g
STD := -std=gnu11 -D_GNU_SOURCE
WARN := -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2
INC := -Iuser -I. -isystem $(B)/skel -isystem $(B)/gen
ALL_CFLAGS = $(STD) $(WARN) $(INC) $(SANFLAGS) $(CFLAGS)
LIBS := -lbpf -ldw -lelf -ljansson -lprotobuf-c -liberty -lz -pthread
BPF_ARCH := $(subst aarch64,arm64,$(subst x86_64,x86,$(ARCH)))
# The loop latch that clang places by default is refused by kernels before 6.12.
BPF_CFLAGS := -O2 -g -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -mcpu=v3 -Wall -Wextra -Wno-unused-parameter \
	-mllvm -disable-block-placement -I. -isystem vmlinux/$(ARCH)

VERSION := 0.1

LIB_SRC := $(sort $(filter-out user/cli/main.c,$(wildcard user/*/*.c)))
LIB_OBJ := $(LIB_SRC:user/%.c=$(B)/user/%.o)
BPF_SRC := $(sort $(wildcard bpf/*.bpf.c))
BPF_OBJ := $(BPF_SRC:%.c=$(B)/%.o)
# Programs that are loaded together are linked together: dump's, and record's.
DUMP_BPF_OBJ := $(B)/bpf/snapshot.bpf.o $(B)/bpf/sample.bpf.o
RECORD_BPF_OBJ := $(B)/bpf/record.bpf.o
PROTO_SRC := $(sort $(wildcard proto/*.proto))
PROTO_HDR := $(PROTO_SRC:proto/%.proto=$(B)/gen/%.pb-c.h)
PROTO_OBJ := $(PROTO_HDR:.h=.o)
# The page of -f html: a template, its style sheet, and its scripts, which the last one starts.
PAGE_SRC := $(addprefix user/report/page/,page.html page.css words.js flame.js table.js page.js)
PAGE_HDR := $(B)/gen/report_page.h

.PHONY: all
all: $(B)/loiter

$(B)/loiter: $(B)/user/cli/main.o $(B)/libloiter.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/libloiter.a: $(LIB_OBJ) $(PROTO_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/user/%.o: user/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -DLOITER_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

$(B)/bpf/%.bpf.o: bpf/%.bpf.c vmlinux/$(ARCH)/vmlinux.h
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/loiter.bpf.o: $(DUMP_BPF_OBJ)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/record.bpf.o: $(RECORD_BPF_OBJ)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/skel/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

# The files that include a skeleton, one each; later builds learn it from the .d file.
$(B)/user/capture/loader.o: $(B)/skel/loiter.skel.h
$(B)/user/capture/recorder.o: $(B)/skel/record.skel.h

# protoc-c writes the source along with the header.
$(B)/gen/%.pb-c.h: proto/%.proto | $(B)/deps.checked
	$(call say,PROTO,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(PROTOC_C) --proto_path=proto --c_out=$(@D) $<

$(B)/gen/%.o: $(B)/gen/%.h
	$(call say,CC,$(@:.o=.c))
	$(Q)$(CC) $(STD) -I$(@D) $(SANFLAGS) $(CFLAGS) -w -c -o $@ $(@:.o=.c)

$(PAGE_HDR): user/report/page/pack.sh $(PAGE_SRC) | $(B)/deps.checked
	$(call say,PAGE,$@)
	$(Q)mkdir -p $(@D)
	$(Q)user/report/page/pack.sh $(PAGE_SRC) >$@.tmp && mv $@.tmp $@

# The one room that includes them: .d files do not name what -isystem finds.
$(filter $(B)/user/report/%,$(LIB_OBJ)): $(PROTO_HDR) $(PAGE_HDR)

# Names what is missing before the first compiler does, in many more lines.
$(B)/deps.checked: deps.sh
	$(Q)./deps.sh check build
	$(Q)mkdir -p $(@D) && touch $@

$(LIB_OBJ) $(BPF_OBJ) $(B)/user/cli/main.o: | $(B)/deps.checked

.PHONY: deps
deps:
	$(Q)./deps.sh install all

.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(B)/loiter $(DESTDIR)$(PREFIX)/bin/loiter
	install -m 644 docs/loiter.1 $(DESTDIR)$(PREFIX)/share/man/man1/loiter.1

.PHONY: clean
clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(B)/user/cli/main.d
-include demo/demo.mk
-include tests/tests.mk
-include tests/lint/lint.mk
