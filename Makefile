# make            builds build/, laid out like an install prefix: build/bin/ct works from anywhere
# make demo       the main job: pack an image, verify it, explain it, and three refusals  [IMAGE=docker.io/library/nginx:1.26]
# make test       every test        make check   formatting, lint, types, manual pages
# make bench      speed, as ratios to peers measured in the same run  [ROWS=pack]
# make soak       hours of kills and faults, and 20 GiB moved under 64 MiB  [SEEDS=100] [GIB=20]
# make deps       system packages that the tests use (apt or dnf, as root)
# make install    [PREFIX=/usr/local] [DESTDIR=] [FORCE=1]      make uninstall takes it away again
# make dist       one archive with every dependency inside, for hosts without network or pip  [SIGN=key.pem] [GLIBC=2.28]
# make clean      removes build/            make help       prints this
#
# DEPS=system builds with the distribution's Python packages and without pip; PYTHON= and SYSCONFDIR= are below. What was given when build/
# was made holds until something else is given, so `sudo make install` installs what `make DEPS=system` built.

PREFIX    ?= /usr/local
BUILD     ?= build
SHELL     := /bin/sh
-include $(BUILD)/.settings
PYTHON    ?= python3
# locked: those of lib/requirements.txt, installed beside the library. system: the distribution's.
DEPS      ?= locked
# The host's policy and trusted keys lie in $(SYSCONFDIR)/cerro. Fixed when built: the environment may not choose it.
SYSCONFDIR ?= /etc

python    := $(shell $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) and print("%s %d.%d" % (sys.executable, *sys.version_info[:2]))')
ifneq ($(words $(python)),2)
$(error $(PYTHON) is not Python 3.11 or later, or its name has spaces; say which one with PYTHON=)
endif
minor     := $(word 2,$(python))
python    := $(word 1,$(python))
ifeq ($(filter locked system,$(DEPS)),)
$(error DEPS=$(DEPS): it is locked or system)
endif
lib       := $(BUILD)/lib/cerro-torre
sources   := $(wildcard lib/cerrotorre/*) $(wildcard tools/*) $(wildcard lib/commands/*) $(wildcard man/*) $(wildcard completions/*) $(wildcard spec/*.json) \
	lib/commands.txt lib/stub.py lib/lay.py lib/bytecode.py
tested    := PYTHONPATH=$(CURDIR)/$(BUILD)/test CT_BUILD=$(CURDIR)/$(BUILD) $(python) -B

fetch     := sh lib/pip.sh $(python) $(BUILD)/pip install --quiet --root-user-action ignore --disable-pip-version-check --no-compile --require-hashes --no-deps \
	--only-binary :all: -r lib/requirements.txt
# Of several wheels the one for the oldest glibc; the three names are older than the numbers (PEP 600).
platforms  = $(foreach tag,1 2010 2014 $(patsubst %,_2_%,$(shell seq 5 $(GLIBC:2.%=%))),--platform manylinux$(tag)_$(shell uname -m))

.PHONY: all help install uninstall dist test check golden bench soak demo deps lock clean FORCE
.DELETE_ON_ERROR:

all: $(BUILD)/.built

# Read above; nothing makes it on its own.
$(BUILD)/.settings: ;

# `built` is what $(BUILD) was made with.
settings  := $(DEPS) $(minor) $(python) $(SYSCONFDIR)
ifneq ($(wordlist 1,3,$(built)),$(DEPS) $(minor) $(python))
$(BUILD)/.vendor: FORCE
else ifneq ($(built),$(settings))
$(BUILD)/.built: FORCE
endif
ifneq ($(word 2,$(built)),$(minor))
othertest := $(BUILD)/.test
endif

ifeq ($(DEPS),system)
$(BUILD)/.vendor: pyproject.toml
	@$(python) -IB lib/dependencies.py check
	@mkdir -p $(lib)
	@rm -rf $(lib)/vendor $(othertest)
	@touch $@
else
$(BUILD)/.vendor: lib/requirements.txt
	@mkdir -p $(lib)
	@rm -rf $(lib)/vendor $(othertest)
	@echo "installing the locked dependencies into $(lib)/vendor"
	@$(fetch) --target $(lib)/vendor
	@rm -rf $(lib)/vendor/bin
	@$(python) -B lib/bytecode.py $(lib)/vendor
	@touch $@
endif

$(BUILD)/.built: $(BUILD)/.vendor $(sources) Makefile
	@$(python) -B lib/lay.py $(BUILD) $(DEPS) '$(SYSCONFDIR)'
	@printf '%s\n' 'PYTHON ?= $(python)' 'DEPS ?= $(DEPS)' 'SYSCONFDIR ?= $(SYSCONFDIR)' 'built := $(settings)' >$(BUILD)/.settings
	@touch $@

install uninstall: export PREFIX := $(PREFIX)
install uninstall: export DESTDIR := $(DESTDIR)
install: all
	@$(python) -B lib/install.py install $(BUILD)

uninstall:
	@$(python) -B lib/install.py uninstall

dist: export SIGN := $(SIGN)
dist: export SYSCONFDIR := $(SYSCONFDIR)
dist: all
	@$(if $(filter system,$(DEPS)),echo 'error: an archive is made of the locked dependencies: make dist DEPS=locked' >&2; exit 64)
	@rm -rf $(BUILD)/vendor
	@$(if $(GLIBC),$(fetch) --target $(BUILD)/vendor $(platforms) && rm -rf $(BUILD)/vendor/bin)
	@$(python) -B lib/dist.py $(if $(GLIBC),$(BUILD),$(lib))/vendor $(BUILD)/dist
	@rm -rf $(BUILD)/vendor

$(BUILD)/.test: tests/requirements.txt
	@mkdir -p $(BUILD)
	rm -rf $(BUILD)/test
	@echo "installing the locked test tools into $(BUILD)/test"
	@sh lib/pip.sh $(python) $(BUILD)/pip install --quiet --root-user-action ignore --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
		--target $(BUILD)/test -r tests/requirements.txt
	@touch $@

# liboqs as WebAssembly. Where npm is missing the tests that need it say so.
$(BUILD)/.oqs: tests/oqs/package-lock.json
	@mkdir -p $(BUILD)
	@rm -rf $(BUILD)/oqs
	@if command -v npm >/dev/null; then \
		mkdir $(BUILD)/oqs && cp tests/oqs/package.json tests/oqs/package-lock.json $(BUILD)/oqs && \
		npm ci --prefix $(BUILD)/oqs --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; \
	else echo 'npm is not installed (make deps): the tests against liboqs will be skipped'; fi

# Whatever plugins this Python has, the tests use these; and both cores, a file at a time.
plugins   := -p xdist.plugin -p _hypothesis_pytestplugin -p pytest_timeout
pytest    := -m pytest -q $(plugins) -n auto --dist loadfile --session-timeout=4500

test: all $(BUILD)/.test $(BUILD)/.oqs
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(tested) $(pytest) $(PYTEST)

check: all $(BUILD)/.test
	$(tested) -m ruff format --check lib tools tests
	$(tested) -m ruff check lib tools tests
	$(tested) -m mypy
	sh tests/check.sh $(BUILD)

golden: all $(BUILD)/.test
	CT_GOLDEN=write PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(tested) -m pytest -q $(plugins) tests/test_golden.py

bench: all
	@$(python) tests/bench/bench.py $(BUILD) $(ROWS)

# One process: what is measured and killed here is disturbed by others.
soak: all $(BUILD)/.test
	$(tested) tests/soak.py $(BUILD) $(or $(GIB),20)
	CT_SEEDS=$(or $(SEEDS),100) PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(tested) -m pytest -q $(plugins) --timeout=0 -o faulthandler_timeout=0 \
		tests/test_moving.py tests/test_every_byte.py $(PYTEST)

demo: all
	@sh tests/demo.sh $(BUILD) $(IMAGE)

deps:
	sh tests/deps.sh $(python)

# Refreshes both lock files; needs pip-tools.
lock:
	$(python) -m piptools compile -q --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-annotate --no-header --strip-extras -o lib/requirements.txt pyproject.toml
	$(python) -m piptools compile -q --upgrade --extra test --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-annotate --no-header --strip-extras -o tests/requirements.txt pyproject.toml

help:
	@sed -n '/^# /!q; s/^# //p' Makefile

clean:
	rm -rf $(BUILD)
