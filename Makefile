# The front door: every target says in `make help` what it does. CMake and ninja do the building.

SMTP_PORT ?= 2525
POP3_PORT ?= 2110
SUBMISSION_PORT ?= 2587
CONSOLE_PORT ?= 8025
INSTANCE ?= run/instance
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= $(if $(filter-out -1,$(RUNS)),3600,60)
RUNS ?= -1
SOAK_SECONDS ?= 600

CMAKE = cmake -G Ninja -S .
CTEST = ctest --output-on-failure -j5
SOURCES = $(shell git ls-files '*.cc' '*.h')
TIDY_SOURCES ?= $(filter-out tests/seam/% cmake/%,$(filter %.cc,$(SOURCES)))

.PHONY: help configure all run stop test debug test-debug fuzz bench bench-queue soak deb test-long test-package test-prometheus test-console console-pictures install uninstall clean format tidy check packages
.DEFAULT_GOAL := all

help:
	@echo 'make            build into build/release; the programs are in build/release/bin'
	@echo 'make run        build, make an instance in INSTANCE=$(INSTANCE), start it on loopback port'
	@echo '                SMTP_PORT=$(SMTP_PORT) and POP3_PORT=$(POP3_PORT), submission on SUBMISSION_PORT=$(SUBMISSION_PORT), the console on CONSOLE_PORT=$(CONSOLE_PORT), send two messages and fetch them'
	@echo 'make stop       end what make run started'
	@echo 'make test       build and run every test'
	@echo 'make debug      build/debug: ASan, UBSan, checked standard library; make test-debug runs the tests there'
	@echo 'make fuzz       build/fuzz with clang, and run each fuzzer for RUNS inputs or FUZZ_SECONDS=$(FUZZ_SECONDS); a table says what it did'
	@echo 'make bench      measure (docs/performance.md)'
	@echo 'make bench-queue  measure with a million messages in the queue'
	@echo 'make test-long  what takes long, in full size: 400 kills, 10,000 messages, every weakness that testssl.sh knows'
	@echo 'make soak       for SOAK_SECONDS=$(SOAK_SECONDS): a kill each second, restarts and hanging deliveries; nothing is lost or stands still'
	@echo 'make deb        the Debian package, in build/deb; make test-package (root): try it in a clean root that boots'
	@echo 'make test-prometheus  a real Prometheus reads the counters, the rules and the dashboard (fetches 19 MB)'
	@echo 'make test-console   the console in a real browser (fetches chromium); make console-pictures: its pictures in docs/pictures'
	@echo 'make install    programs, manual pages and service files below DESTDIR and PREFIX=$(PREFIX)'
	@echo 'make uninstall  remove what make install has put there'
	@echo 'make format     clang-format; make tidy: clang-tidy; make check: format, layers and tests in one'
	@echo 'make clean      remove build/ (not the instances)'

packages:
	@scripts/install-packages run build

configure: packages
	@mkdir -p build
	@$(CMAKE) -B build/release -DCMAKE_BUILD_TYPE=Release >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }

all: configure
	@ninja -C build/release -j$(JOBS)

run: configure
	@ninja -C build/release -j$(JOBS) programs
	@python3 -B scripts/demo.py run '$(INSTANCE)' '$(SMTP_PORT)' '$(POP3_PORT)' '$(SUBMISSION_PORT)' '$(CONSOLE_PORT)'

stop:
	@python3 -B scripts/demo.py stop '$(INSTANCE)'

test:
	@scripts/install-packages run build test
	@$(MAKE) --no-print-directory all
	@cd build/release && $(CTEST)

test-long:
	@scripts/install-packages run build test
	@$(MAKE) --no-print-directory all
	@cd build/release && RELAIS_LONG=1 ctest --output-on-failure -R '^(kill_test|flow_test|restart_test|testssl_test|extension_peers_test)$$'

debug:
	@scripts/install-packages run build
	@$(CMAKE) -B build/debug -DCMAKE_BUILD_TYPE=Debug -DRELAIS_SANITIZE=ON
	@ninja -C build/debug -j$(JOBS)

test-debug: debug
	@scripts/install-packages test
	@cd build/debug && $(CTEST)

fuzz:
	@scripts/install-packages run build check
	@$(CMAKE) -B build/fuzz -DCMAKE_BUILD_TYPE=Debug -DRELAIS_FUZZ=ON \
	    -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
	@ninja -C build/fuzz -j$(JOBS) fuzzers
	@scripts/fuzz --runs $(RUNS) --seconds $(FUZZ_SECONDS)

soak: all
	@scripts/install-packages test
	@cd tests && RELAIS_SOAK_SECONDS=$(SOAK_SECONDS) RELAIS_BIN='$(CURDIR)/build/release/bin' python3 -B soak_test.py

test-prometheus: all
	@scripts/install-packages test
	@cd tests && RELAIS_BIN='$(CURDIR)/build/release/bin' python3 -B prometheus_test.py

test-console: all
	@scripts/install-packages test test-console
	@cd tests && RELAIS_BIN='$(CURDIR)/build/release/bin' /usr/bin/python3 -B browser_test.py

console-pictures: all
	@scripts/install-packages test test-console
	@cd tests && RELAIS_PICTURES='$(CURDIR)/docs/pictures' RELAIS_BIN='$(CURDIR)/build/release/bin' /usr/bin/python3 -B browser_test.py Pictures

bench-queue: all
	@scripts/install-packages test
	@python3 -B bench/queue_scale.py --write

bench: all
	@scripts/install-packages test
	@python3 -B bench/run.py --write

deb: configure
	@scripts/install-packages package
	@ninja -C build/release -j$(JOBS) programs
	@scripts/make-deb build/deb

test-package: deb
	@scripts/install-packages test-package
	@python3 -B tests/package/try_package.py "$$(ls -t build/deb/relais_*.deb | head -n 1)"

install: configure
	@ninja -C build/release -j$(JOBS) programs
	@DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)' --strip

# What the last make install of this tree has put there; directories and instances stay.
uninstall:
	@test -f build/release/install_manifest.txt || { echo 'nothing was installed from this tree'; exit 1; }
	@sed 's|^|$(DESTDIR)|' build/release/install_manifest.txt | xargs -d '\n' rm -f --
	@rm -f build/release/install_manifest.txt
	@echo 'removed; what is in instances stays (docs/backup.md)'

clean:
	rm -rf build

format:
	@scripts/install-packages check
	@clang-format -i $(SOURCES)

# clang reads no precompiled header of g++. Its count of what system headers hold goes to the log.
tidy:
	@scripts/install-packages run build check
	@mkdir -p build
	@$(CMAKE) -B build/tidy -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >build/tidy.log 2>&1 || \
	    { cat build/tidy.log; exit 1; }
	@printf '%s\n' $(TIDY_SOURCES) | xargs -P $(JOBS) -n 1 clang-tidy -quiet -p build/tidy $(TIDY_OPTIONS) 2>build/tidy.log || \
	    { grep -v 'warnings generated' build/tidy.log; exit 1; }
	@echo 'clang-tidy finds nothing'

check:
	@scripts/install-packages check
	@clang-format --dry-run -Werror $(SOURCES)
	@$(MAKE) --no-print-directory test
