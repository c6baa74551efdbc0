# Firsthand: two commands do it all: `make run` and `make test`. Everything lives in .venv; `device` and `hal` are no
# names for a shared environment.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= build/shift
SCENARIO ?= default
PYTEST ?=
# Most of a test's time is a camera's real time: several files of tests run side by side.
WORKERS ?= 4
SECONDS ?= 60
HOURS ?= 24
REAL_S ?= 3600
ROUNDS ?= 200
CUTS ?= 1000
SEED ?= 1
COMMA := ,
MUTANTS ?=
# PUBLISH=1 lets a bench write docs/figures/NAME.json, from which `make docs` draws docs/assurance.md.
PUBLISH ?=
ARCH ?= arm64
BOARD ?= lab-vm
IMAGE_ARCH = $(if $(filter lab-vm dev-webcam,$(BOARD)),amd64,arm64)
# As --release FILE, or --release-key FILE --release-cert FILE: docs/image.md.
DEB_OPTIONS ?=
IMAGE_OPTIONS ?= $(if $(filter amd64,$(IMAGE_ARCH)),--raw)
# Debian packages that only the tests need: judges that nobody here wrote, and a real broker.
DEBIAN := bmap-tools busybox-static chromium chrony curl dbus dosfstools dpkg e2fsprogs fdisk ffmpeg fuse3 iproute2 \
  libimage-exiftool-perl mmdebstrap mosquitto mount mtools openssh-client openssl poppler-utils qemu-system-common qemu-system-x86 rauc \
  softhsm2 squashfs-tools systemd-container zbar-tools zstd \
  $(if $(shell command -v npm 2>/dev/null),,nodejs npm)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run panel test lint docs deb fuzz fuzz-api mutants endurance bench clean debian-packages lab lab-picamera2 interrupted-updates image image-twice lab-raspi3b
.PHONY: help run panel test lint docs deb lock audit sbom security fuzz mutants bench clean debian-packages lab lab-picamera2 interrupted-updates image image-twice lab-raspi3b
.PHONY: kills
.PHONY: help run panel test lint docs deb fuzz mutants powercut bench clean debian-packages lab lab-picamera2 interrupted-updates image image-twice lab-raspi3b

help:
	@echo "make run     a simulated shift, from self-test to verified video, into $(OUT) (about two minutes)"
	@echo "make panel   the same in your browser: press the buttons, see the evidence grow, verify and play it"
	@echo "make test    all tests (installs what is missing; Debian packages only as root)"
	@echo "make lint    ruff and mypy --strict"
	@echo "make fuzz    hostile bytes for every reader, SECONDS=$(SECONDS) for each"
	@echo "make fuzz-api  a real station, asked by a foreign tool as a camera: every answer as docs/openapi.json says"
	@echo "make mutants break the firmware in one place at a time: the simulator's scenarios must notice (MUTANTS=--list)"
	@echo "make kills   kill every program at its durable steps and N=2000 random instants (MINUTES=60, PHASE=\"dock stop\", SEED=1)"
	@echo "make endurance  a day with faults (HOURS=$(HOURS)), ROUNDS=$(ROUNDS) docks, REAL_S=$(REAL_S) seconds beside busy processes: nothing grows, no frame lost (root)"
	@echo "make powercut  cut the power at CUTS=$(CUTS) points of all that must be durable, four kinds of card each (as root)"
	@echo "make interrupted-updates  cut N=200 updates off at random instants: every camera must start, whole (as root)"
	@echo "make bench   measure all that has a speed, beside its peers, into build/bench.json (about 20 minutes; ONLY=verify)"
	@echo "make deb     Debian packages of camera and station for ARCH=$(ARCH), into build/"
	@echo "make audit   the locked libraries against the known vulnerabilities (needs the network; docs/design/supply.md)"
	@echo "make security  all security tests, a search for secrets in what a shift wrote, with figures (as root; PUBLISH=1)"
	@echo "make sbom    what camera, station and office are made of, as CycloneDX, into build/sbom"
	@echo "make lock    lock the libraries anew, with hashes, after a change of pyproject.toml (UPGRADE=1: newest versions)"
	@echo "make lab     the lab: real kernel, real units, real camera stack in virtual machines and containers (as root)"
	@echo "make lab-picamera2  the camera driver on real picamera2 and libcamera (as root)"
	@echo "make image   the image of BOARD=$(BOARD) into build/image, as root (about two minutes; docs/image.md)"
	@echo "make docs    write the tables of docs/*.md from the code"
	@echo "make clean   remove build/ and .venv"

run: $(VENV)/.run
	$(BIN)/firsthand-sim shift $(SCENARIO) --out $(OUT)

panel: $(VENV)/.run
	$(BIN)/firsthand-sim panel

test: debian-packages $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --record-figures $(if $(PUBLISH),--publish-figures) $(PYTEST)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.test
	PYTHONPATH=. $(BIN)/python docs/generate.py

deb: $(VENV)/.run
	$(BIN)/firsthand-fleet deb --arch $(ARCH) $(DEB_OPTIONS) --out build

audit: $(VENV)/.test
	PYTHONPATH=. $(BIN)/python requirements/audit.py

security: debian-packages $(VENV)/.test
	PYTHONPATH=. nice $(BIN)/python tests/security/run.py $(if $(PUBLISH),--publish)

sbom: $(VENV)/.run
	PYTHONPATH=. $(BIN)/python requirements/sbom.py --out build/sbom

lock: $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[lock]'
	$(BIN)/python requirements/lock.py $(if $(UPGRADE),--upgrade)

# The real RAUC on a card that forgets what was not synced: N updates, each cut off at a random instant (root).
interrupted-updates: debian-packages $(VENV)/.test
	PYTHONPATH=.:tests/lab nice $(BIN)/python tests/lab/interrupted_updates.py --runs $(or $(N),200) $(if $(PUBLISH),--publish)
# Root: the image holds files of several users. What an image is: docs/image.md.
image: $(VENV)/.run
	$(BIN)/firsthand-fleet deb --arch $(IMAGE_ARCH) --camera-only --out build
	$(BIN)/firsthand-fleet image build --board $(BOARD) $(IMAGE_OPTIONS) --deb $$(ls -t build/firsthand_*_$(IMAGE_ARCH).deb | head -n 1) --out build/image

image-twice: image
	$(BIN)/firsthand-fleet image build --board $(BOARD) $(IMAGE_OPTIONS) --deb $$(ls -t build/firsthand_*_$(IMAGE_ARCH).deb | head -n 1) --out build/image-again
	cd build/image && for file in firsthand-$(BOARD)-*; do cmp $$file ../image-again/$$file || exit 1; done
	@echo "both builds are the same, bit for bit"

# By hand: an arm64 image on qemu's Raspberry Pi 3 B (docs/image.md).
lab-raspi3b: $(VENV)/.test
	$(MAKE) image BOARD=bodycam-zero2w IMAGE_OPTIONS=--raw
	PYTHONPATH=.:tests/lab nice $(BIN)/python tests/lab/raspi3b.py build/image

# A real station against its own document, asked by schemathesis: CASES for each operation beside those at its edges.
fuzz-api: $(VENV)/.test
	nice -n 19 $(BIN)/python tests/fuzz/station_api.py --cases $(or $(CASES),200) $(if $(PUBLISH),--publish)

fuzz: $(VENV)/.test
	nice -n 19 $(BIN)/python tests/fuzz/run.py --seconds $(SECONDS) $(if $(PUBLISH),--publish)

# A part alone: make endurance PART=day (or rounds, hour). PUBLISH=1 writes the figures for the pages too (docs/design/endurance.md).
endurance: $(VENV)/.test
	$(if $(filter-out day,$(PART)),,nice -n 19 $(BIN)/python tests/endurance/run.py day --hours $(HOURS) $(if $(PUBLISH),--publish))
	$(if $(filter-out rounds,$(PART)),,nice -n 19 $(BIN)/python tests/endurance/run.py rounds --rounds $(ROUNDS) $(if $(PUBLISH),--publish))
	$(if $(filter-out hour,$(PART)),,$(BIN)/python tests/endurance/run.py hour --seconds $(REAL_S) $(if $(PUBLISH),--publish))
# One part: make powercut PART=recorder; PUBLISH=1 keeps the figures for the pages (docs/design/power-cut.md).
powercut: debian-packages $(VENV)/.test
	$(BIN)/python tests/powercut/run_powercut.py --cuts $(CUTS) --seed $(SEED) $(if $(PUBLISH),--publish) $(PART)

# Real processes, SIGKILL, every invariant after each; PUBLISH=1 keeps the figures (docs/design/kills.md).
kills: debian-packages $(VENV)/.test
	nice -n 19 $(BIN)/python tests/kills/run_kills.py --kills $(or $(N),2000) --seed $(SEED) $(if $(MINUTES),--minutes $(MINUTES)) \
	  $(foreach one,$(subst $(COMMA), ,$(PHASE)),--phase $(one)) $(if $(PUBLISH),--publish)

mutants: $(VENV)/.test
	nice -n 19 $(BIN)/python tests/mutants/run.py $(MUTANTS) $(if $(PUBLISH),--publish)

# Alone on the machine, else the figures are somebody else's. As root the camera gets a card that can be slowed and stalled.
bench: $(VENV)/.test
	PYTHONPATH=. $(BIN)/python benchmarks/run_benchmarks.py $(if $(ONLY),--only $(ONLY)) $(if $(PUBLISH),--publish)

# The short parts, with a table at the end. PART=all or PART=machine: more; KEEP=1 leaves disks and consoles (docs/lab.md).
lab: debian-packages $(VENV)/.test
	PYTHONPATH=. $(BIN)/python tests/lab/run.py $(if $(KEEP),--keep) $(if $(PUBLISH),--publish) $(PART)

# Real picamera2 on libcamera's virtual camera; makes and keeps a Debian root on its first run (root, about a minute).
lab-picamera2: debian-packages $(VENV)/.test
	CI=true $(BIN)/python -m pytest tests/lab/test_picamera2_real.py

clean:
	rm -rf build $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.maxsize < 2**32)' || \
	  { echo "Firsthand needs a 64-bit Python 3.11 or later; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python cannot make a virtual environment; run: sudo apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

# A stamp says what was installed from which pyproject.toml, so that a second run starts at once.
$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "Installing Firsthand with its simulator into $(VENV) (once)..."
	$(BIN)/python -m pip install --quiet --editable '.[sim,station,export,fleet]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "Installing Firsthand with its tests into $(VENV) (once)..."
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

debian-packages:
	@missing=""; \
	for package in $(DEBIAN); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then \
	    echo "Not Debian: tests that need$$missing are skipped unless you install them."; \
	  elif [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Debian packages:$$missing"; \
	    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing) >/dev/null; \
	  else \
	    echo "Some tests are skipped; to run them all: sudo apt-get install$$missing"; \
	  fi; \
	fi
