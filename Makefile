# make            builds build/, laid out like an install prefix: build/bin/ct works from anywhere
# make demo       the main job: pack an image, verify it, explain it, and three refusals  [IMAGE=docker.io/library/nginx:1.26]
# make test       every test        make check   formatting, lint, types, manual pages
# make bench      speed, as ratios to peers measured in the same run  [ROWS=pack]
# make deps       system packages that the tests use (apt or dnf, as root)
# make install    [PREFIX=/usr/local] [DESTDIR=]

PYTHON    ?= python3
PREFIX    ?= /usr/local
# The host's policy and trusted keys lie in $(SYSCONFDIR)/cerro. Fixed when built: the environment may not choose it.
SYSCONFDIR ?= /etc
BUILD     ?= build
SHELL     := /bin/sh

python    := $(shell $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) and print(sys.executable)')
ifeq ($(python),)
$(error $(PYTHON) is not Python 3.11 or later; say which one with PYTHON=)
endif
lib       := $(BUILD)/lib/cerro-torre
tools     := $(notdir $(filter-out tools/ct,$(wildcard tools/ct-*)))
recipes   := $(notdir $(wildcard lib/commands/*))
sources   := $(wildcard lib/cerrotorre/*) $(wildcard tools/*) $(wildcard lib/commands/*) $(wildcard man/*) $(wildcard completions/*) $(wildcard spec/*.json) lib/stub.py
tested    := PYTHONPATH=$(CURDIR)/$(BUILD)/test CT_BUILD=$(CURDIR)/$(BUILD) $(python) -B

.PHONY: all install test check golden bench demo deps lock clean
.DELETE_ON_ERROR:

all: $(BUILD)/.built

$(BUILD)/.vendor: lib/requirements.txt
	@mkdir -p $(lib)
	rm -rf $(lib)/vendor
	@echo "installing the locked dependencies into $(lib)/vendor"
	@sh lib/pip.sh $(python) $(BUILD)/pip install --quiet --root-user-action ignore --disable-pip-version-check --no-compile --require-hashes --no-deps --only-binary :all: \
		--target $(lib)/vendor -r lib/requirements.txt
	@rm -rf $(lib)/vendor/bin
	@$(python) -m compileall -q -j 0 --invalidation-mode unchecked-hash $(lib)/vendor
	@touch $@

$(BUILD)/.built: $(BUILD)/.vendor $(sources) Makefile
	@rm -rf $(BUILD)/bin $(BUILD)/share $(lib)/cerrotorre $(lib)/commands $(lib)/commands.txt
	@mkdir -p $(BUILD)/bin $(lib)/cerrotorre/tools $(lib)/commands $(lib)/spec $(BUILD)/share/man/man1 $(BUILD)/share/man/man5 $(BUILD)/share/man/man7 \
		$(BUILD)/share/bash-completion/completions $(BUILD)/share/zsh/site-functions $(BUILD)/share/fish/vendor_completions.d
	@cp lib/cerrotorre/* $(lib)/cerrotorre/
	@printf 'SYSCONFDIR = "%s"\n' '$(SYSCONFDIR)' >$(lib)/cerrotorre/built.py
	@: >$(lib)/cerrotorre/tools/__init__.py
	@for tool in $(tools); do \
		module=$$(printf %s "$$tool" | tr - _); \
		cp tools/$$tool $(lib)/cerrotorre/tools/$$module.py || exit 1; \
		sed -e 's|@PYTHON@|$(python)|' -e "s|@MODULE@|$$module|" -e "s|@NAME@|$$tool|" lib/stub.py >$(BUILD)/bin/$$tool || exit 1; \
		chmod 755 $(BUILD)/bin/$$tool; \
	done
	@for recipe in $(recipes); do cp lib/commands/$$recipe $(lib)/commands/$$recipe || exit 1; done
	@cp lib/commands.txt $(lib)/
	@cp spec/*.json $(lib)/spec/
	@cp tools/ct $(BUILD)/bin/ct && chmod 755 $(BUILD)/bin/ct
	@cp completions/ct.bash $(BUILD)/share/bash-completion/completions/ct
	@cp completions/_ct $(BUILD)/share/zsh/site-functions/
	@cp completions/ct.fish $(BUILD)/share/fish/vendor_completions.d/
	@for page in $(wildcard man/*.[157]); do cp $$page $(BUILD)/share/man/man$${page##*.}/ || exit 1; done
	@$(python) -m compileall -q --invalidation-mode unchecked-hash $(lib)/cerrotorre
	@touch $@

install: all
	@test "$$($(python) -c 'import sys; print(sys.prefix)')" || exit 1
	mkdir -p "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib" "$(DESTDIR)$(PREFIX)/share"
	cp $(BUILD)/bin/* "$(DESTDIR)$(PREFIX)/bin/"
	rm -rf "$(DESTDIR)$(PREFIX)/lib/cerro-torre"
	cp -R $(lib) "$(DESTDIR)$(PREFIX)/lib/cerro-torre"
	cp -R $(BUILD)/share/* "$(DESTDIR)$(PREFIX)/share/"

$(BUILD)/.test: tests/requirements.txt
	@mkdir -p $(BUILD)
	rm -rf $(BUILD)/test
	@echo "installing the locked test tools into $(BUILD)/test"
	@sh lib/pip.sh $(python) $(BUILD)/pip install --quiet --root-user-action ignore --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
		--target $(BUILD)/test -r tests/requirements.txt
	@touch $@

# Whatever plugins this Python has, the tests use these; and both cores, a file at a time.
pytest    := -m pytest -q -p xdist.plugin -p _hypothesis_pytestplugin -n auto --dist loadfile

test: all $(BUILD)/.test
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(tested) $(pytest) $(PYTEST)

check: all $(BUILD)/.test
	$(tested) -m ruff format --check lib tools tests
	$(tested) -m ruff check lib tools tests
	$(tested) -m mypy
	sh tests/check.sh $(BUILD)

golden: all $(BUILD)/.test
	CT_GOLDEN=write PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(tested) -m pytest -q tests/test_golden.py

bench: all
	@$(python) tests/bench/bench.py $(BUILD) $(ROWS)

demo: all
	@sh tests/demo.sh $(BUILD) $(IMAGE)

deps:
	sh tests/deps.sh

# Refreshes both lock files; needs pip-tools.
lock:
	$(python) -m piptools compile -q --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-annotate --no-header --strip-extras -o lib/requirements.txt pyproject.toml
	$(python) -m piptools compile -q --upgrade --extra test --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-annotate --no-header --strip-extras -o tests/requirements.txt pyproject.toml

clean:
	rm -rf $(BUILD)
