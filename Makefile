# jobgate. `make help` lists the targets.
#
# A source file is found by its folder: nothing is listed here. VARIANT is release, debug or asan; each has its own
# build/$(VARIANT), so that one does not rebuild the other.

VARIANT ?= release
ifndef VERSION
VERSION := $(shell git --no-optional-locks describe --always --dirty 2>/dev/null || echo unknown)
endif
B := build/$(VARIANT)
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

# --- flags (pkg-config is asked at the first use, so that targets which compile nothing work without it) ---------------

PACKAGES := libevent libevent_openssl jansson hiredis libcurl expat libssl libcrypto zlib jose
pkg_config = $(eval $1 := $$(shell pkg-config $2))$($1)
PACKAGE_CFLAGS = $(call pkg_config,PACKAGE_CFLAGS,--cflags $(PACKAGES))
PACKAGE_LIBS = $(call pkg_config,PACKAGE_LIBS,--libs $(PACKAGES))
CHECK_CFLAGS = $(call pkg_config,CHECK_CFLAGS,--cflags check libevent_openssl libssl)
CHECK_LIBS = $(call pkg_config,CHECK_LIBS,--libs check libevent_openssl libssl)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
LANGUAGE := -std=c17 -D_GNU_SOURCE -I.
release_FLAGS := -O2 -g -D_FORTIFY_SOURCE=2
debug_FLAGS := -Og -g3
asan_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
fuzz_FLAGS := $(asan_FLAGS) -fsanitize=fuzzer-no-link -Wno-error
VARIANT_FLAGS := $(or $($(VARIANT)_FLAGS),$(error VARIANT is release, debug or asan, not "$(VARIANT)"))

COMPILE = $(CC) $(LANGUAGE) $(WARNINGS) $(VARIANT_FLAGS) -fstack-protector-strong -fPIE -pthread -MMD -MP \
          $(PACKAGE_CFLAGS) $(CFLAGS)
LINK = $(CC) $(VARIANT_FLAGS) -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

# --- what there is -----------------------------------------------------------------------------------------------------

objects = $(patsubst %.c,$(B)/%.o,$1)
COMMON := $(call objects,$(wildcard common/*/*.c)) $(B)/gen/queue_scripts.o
API := $(call objects,$(filter-out api/main.c,$(wildcard api/*.c api/*/*.c))) $(B)/gen/api_files.o
API_FILES := api/openapi/contract.json $(sort $(wildcard api/openapi/docs.*))
WORKER := $(call objects,$(filter-out worker/main.c,$(wildcard worker/*.c worker/*/*.c)))
SUPPORT := $(call objects,$(filter-out tests/support/main.c tests/support/config_docs.c,$(wildcard tests/support/*.c)))
UNIT := $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c)
INTEGRATION := $(wildcard tests/integration/test_*.c)
CHAOS := $(filter-out tests/chaos/handler.c,$(wildcard tests/chaos/*.c))
CHECKS := $(patsubst %,$(B)/check/%,unit integration chaos)
BENCH := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))
SCRIPTS := $(sort $(wildcard common/queue/lua/*.lua))
BINARIES := $(patsubst %,$(B)/bin/jobgate-%,$(foreach part,api worker,$(if $(wildcard $(part)/main.c),$(part))))
TEST_PARTS := $(patsubst %,$(B)/%,tests/support/main.o libsupport.a libapi.a libworker.a libjobgate.a)

.PHONY: platform-checks deploy deploy-application rollback destroy terraform-plan terraform-apply terraform-check outputs \
        registry-login in-system setup-build docs-check manifests-check audit plan-comment cost sign bench-trend
.PHONY: all demo test unit integration model rollout load browser image chaos test-programs bench-programs lint format docs bench check-all clean help FORCE
all: $(BINARIES)

# --- compiling and linking (V=1 shows the commands) --------------------------------------------------------------------

say = $(if $(V),,@echo "  $1";)

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,compile $<)$(COMPILE) -c -o $@ $<

$(B)/tests/%.o: tests/%.c Makefile
	@mkdir -p $(@D)
	$(call say,compile $<)$(COMPILE) $(CHECK_CFLAGS) -c -o $@ $<

$(B)/gen/%_suites.o: LANGUAGE += $(CHECK_CFLAGS)
$(B)/gen/%.o: $(B)/gen/%.c Makefile
	$(call say,compile $<)$(COMPILE) -c -o $@ $<

$(B)/libjobgate.a: $(COMMON)
$(B)/libapi.a: $(API)
$(B)/libworker.a: $(WORKER)
$(B)/libsupport.a: $(SUPPORT)
$(B)/%.a:
	@mkdir -p $(@D) && rm -f $@
	$(call say,archive $@)$(AR) rcs $@ $^

$(B)/bin/jobgate-%: $(B)/%/main.o $(B)/lib%.a $(B)/libjobgate.a
	@mkdir -p $(@D)
	$(call say,link $@)$(LINK) -o $@ $^ $(PACKAGE_LIBS)

$(B)/check/unit: $(call objects,$(UNIT)) $(B)/gen/unit_suites.o $(TEST_PARTS)
$(B)/check/integration: $(call objects,$(INTEGRATION)) $(B)/gen/integration_suites.o $(TEST_PARTS)
$(B)/check/chaos: $(call objects,$(CHAOS)) $(B)/gen/chaos_suites.o $(TEST_PARTS)
$(CHECKS):
	@mkdir -p $(@D)
	$(call say,link $@)$(LINK) -o $@ $^ $(CHECK_LIBS) $(PACKAGE_LIBS)

$(B)/chaos/handler: $(call objects,tests/chaos/handler.c tests/chaos/answer.c)
	@mkdir -p $(@D)
	$(call say,link $@)$(LINK) -o $@ $^

$(B)/tests/support/config_docs: $(B)/tests/support/config_docs.o $(B)/libjobgate.a
$(B)/bench/%: $(B)/tests/bench/%.o $(B)/libworker.a $(B)/libjobgate.a
	@mkdir -p $(@D)
	$(call say,link $@)$(LINK) -o $@ $^ $(PACKAGE_LIBS)
$(B)/tests/support/config_docs:
	$(call say,link $@)$(LINK) -o $@ $^ $(PACKAGE_LIBS)

# Targets of libFuzzer, which is clang's: in a variant of their own, that tests/fuzz/run.sh builds.
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libapi.a $(B)/libworker.a $(B)/libjobgate.a
	@mkdir -p $(@D)
	$(call say,link $@)$(LINK) -fsanitize=fuzzer -o $@ $^ $(PACKAGE_LIBS)

# --- generated sources: looked at in each run, written only when they change -------------------------------------------

keep_if_same = cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(B)/gen/version: FORCE
	@mkdir -p $(@D); echo '$(VERSION)' >$@.new; $(keep_if_same)

$(B)/common/base/version.o: $(B)/gen/version
$(B)/common/base/version.o: LANGUAGE += '-DJOBGATE_VERSION="$(VERSION)"'

$(B)/gen/queue_scripts.c: FORCE
	@mkdir -p $(@D); sh common/queue/lua/embed.sh $(SCRIPTS) >$@.new && { $(keep_if_same); }

$(B)/gen/api_files.c: FORCE
	@mkdir -p $(@D); sh api/openapi/embed.sh $(API_FILES) >$@.new && { $(keep_if_same); }

# test_<x>.c exports <x>_suite; the list of the suites is made from the names of the files.
$(B)/gen/unit_suites.c: SUITES = $(UNIT)
$(B)/gen/integration_suites.c: SUITES = $(INTEGRATION)
$(B)/gen/chaos_suites.c: SUITES = $(filter tests/chaos/test_%.c,$(CHAOS))
$(B)/gen/%_suites.c: FORCE
	@mkdir -p $(@D); sh tests/support/list_suites.sh $(SUITES) >$@.new && { $(keep_if_same); }

# --- what people call --------------------------------------------------------------------------------------------------

# The set-up may install what the build needs, so the build is a make of its own.
build = $(MAKE) $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
run_tests = JOBGATE_BIN=$(abspath $(B)/bin) JOBGATE_VARIANT=$(VARIANT) tests/run.sh

# What brings jobgate into a cloud: scripts that end with "counts <passed> <failed>", as the test programs do.
PLATFORM_CHECKS := $(patsubst %,tests/%/run.sh,alerts deploy terraform workflows)

test-programs: $(BINARIES) $(CHECKS) $(B)/chaos/handler

test:
	tests/setup.sh test
	$(build) test-programs
	@$(run_tests) $(CHECKS) tests/contract/run.sh tests/model/run.sh tests/fuzz/run.sh tests/kubernetes/run.sh tests/rollout/run.sh $(PLATFORM_CHECKS)

unit integration: test-programs
	@$(run_tests) $(B)/check/$@

model:
	tests/setup.sh test
	@$(run_tests) tests/model/run.sh

rollout:
	tests/setup.sh test
	$(build) test-programs
	@JOBGATE_ROLLOUT=long $(run_tests) tests/kubernetes/run.sh tests/rollout/run.sh

load:
	tests/setup.sh test
	$(build) all
	@$(run_tests) tests/load/run.sh

browser:
	tests/setup.sh browser
	$(build) all
	@$(run_tests) tests/browser/run.sh

image:
	tests/image/run.sh

chaos:
	tests/setup.sh test
	$(build) test-programs
	@JOBGATE_CHAOS_SECONDS=$(or $(SECONDS),60) JOBGATE_CHAOS_SEED=$(SEED) $(run_tests) $(B)/check/chaos

.PHONY: fuzz fuzz-programs
fuzz:
	tests/setup.sh test
	@JOBGATE_FUZZ_SECONDS=$(or $(SECONDS),60) JOBGATE_FUZZ_TARGETS='$(TARGET)' $(run_tests) tests/fuzz/run.sh

fuzz-programs: $(FUZZ)

demo:
	tests/setup.sh build
	$(build) all
	@JOBGATE_BIN=$(abspath $(B)/bin) exec tests/demo/demo.sh

bench:
	tests/setup.sh bench
	$(build) all bench-programs
	JOBGATE_BIN=$(abspath $(B)/bin) JOBGATE_BENCH_BIN=$(abspath $(B)/bench) tests/bench/run.sh

bench-programs: $(BENCH)

lint:
	tests/setup.sh lint
	$(build) test-programs $(if $(BENCH),bench-programs)
	LINT_FLAGS='$(LANGUAGE) $(PACKAGE_CFLAGS) $(CHECK_CFLAGS)' tests/lint.sh

format:
	clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

docs: $(B)/tests/support/config_docs
	$< >docs/configuration.md

platform-checks:
	tests/setup.sh test
	$(build) all
	@$(run_tests) $(PLATFORM_CHECKS)

# --- the cloud: docs/deployment.md --------------------------------------------------------------------------------------

deploy deploy-application:
	@terraform/scripts/deploy.sh '$(ENV)' $(if $(findstring -application,$@),application)

rollback destroy:
	@terraform/scripts/$@.sh '$(ENV)'

terraform-plan terraform-apply:
	@terraform/scripts/terraform.sh '$(ENV)' $(@:terraform-%=%)

terraform-check:
	@terraform/scripts/check.sh

outputs:
	@terraform/scripts/outputs.sh '$(ENV)'

registry-login:
	@terraform/scripts/outputs.sh '$(ENV)' login

# --- the pipeline: .github/workflows -----------------------------------------------------------------------------------

in-system:
	@.github/scripts/in_system.sh '$(SYSTEM)' $(RUN)

setup-build:
	tests/setup.sh build

docs-check: docs
	git diff --exit-code -- docs

manifests-check:
	tests/setup.sh test
	@$(run_tests) tests/kubernetes/run.sh

audit:
	npm audit --prefix tests --audit-level=critical

plan-comment:
	@.github/scripts/comment.sh '$(ENV)'

cost sign:
	@.github/scripts/$@.sh

bench-trend:
	@.github/scripts/trend.sh

check-all:
	@tests/check_all.sh

clean:
	rm -rf build

help:
	@echo 'make                both programs, in build/release/bin'
	@echo 'make demo           sets up, starts everything and drives real jobs through it'
	@echo 'make test           sets up, builds, runs the unit and the integration tests'
	@echo 'make unit           the unit tests alone; integration: the others alone'
	@echo '                    (CK_RUN_SUITE=json make unit runs one suite, CK_RUN_CASE=... one case)'
	@echo 'make model          searches the model of the claim protocol; mistakes seeded in it must be found'
	@echo 'make rollout        renders the manifests; rehearses rollouts and scale-in with their numbers, three times each'
	@echo 'make load           10 to 500 new callers a second on two replicas, by Artillery'
	@echo 'make image          builds the images and runs them from their file systems (as root)'
	@echo 'make chaos          kills, freezes and restarts everything under load; SECONDS=60 SEED=<a number>'
	@echo 'make fuzz           feeds the parsers with inputs of any kind; SECONDS=60 for each, TARGET=<one of tests/fuzz>'
	@echo 'make browser        the pages of the api in a real Chromium'
	@echo 'make lint           what can be found without running anything'
	@echo 'make format         lays out the sources with clang-format'
	@echo 'make docs           writes docs/configuration.md from the table of settings'
	@echo 'make bench          measures speed, memory and start against the bare limit'
	@echo 'make deploy ENV=dev    makes everything in Azure and starts it there; rollback, destroy: docs/deployment.md'
	@echo 'make platform-checks   tests of the deployment, of Terraform, the alerts and the workflows alone'
	@echo 'make terraform-check   form, validity and tests of Terraform itself; needs it and its registry'
	@echo 'make check-all      lint, test, test with sanitizers, longer chaos, bench, start on bare systems (as root)'
	@echo 'make clean          removes build/'
	@echo 'VARIANT=debug|asan  builds in build/debug or build/asan instead; V=1 shows the commands'

-include $(shell find $(B) -name '*.d' 2>/dev/null)
