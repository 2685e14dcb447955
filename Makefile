# Every target does its own set-up. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
RUN := .venv/bin/
DATA ?= ../shared/data

.PHONY: help setup demo test lint types unit other-runtime bench test-faults test-radio test-usb test-vm test-machine test-image test-browser fuzz page-styles lock model model-report model-replay train-tools

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## Make .venv ready; says which Debian packages it installs
	@provisioning/prepare.sh

demo: setup ## One resident gets worse; see the alert arrive and its acknowledgement come home
	@$(RUN)carehub demo

test: lint types unit other-runtime ## Everything that must be green before a commit

lint: setup
	$(RUN)ruff check .
	$(RUN)ruff format --check .

types: setup
	$(RUN)mypy

unit: setup # a third worker than cores, since tests wait; each with whole files, in their order: they may share a hub
	$(RUN)pytest -n 3 --dist loadfile --no-loadscope-reorder

other-runtime: setup ## The model's golden vectors on the runtime that this Python does not use
	@tests/models/other_runtime.sh

bench: setup ## Latency, decoding rate, memory and idle CPU, as ratios in one run
	@$(RUN)python -m tests.bench

test-faults: setup ## Kills, outages, power cuts, a full card, a backlog, a soak; as root; FAULTS=--full for all of it
	@$(RUN)python -m tests.faults $(FAULTS)

test-radio: setup ## Forty sensors at once, a thousand links, floods, bonds, in software; RADIO="ward --full" for a part in full
	@$(RUN)python -m tests.radio $(RADIO)

test-usb: setup ## Eight streams at 75 frames a second, two hundred plugs; USB="streams --full" for a part in full
	@$(RUN)python -m tests.usb $(USB)

test-vm: setup ## The radio against a real bluetoothd, and USB by QEMU, in a virtual machine (no KVM); as root
	@tests/vm/prepare.sh
	@$(RUN)python -m tests.vm $(VM)

test-machine: setup ## Hubs set up over SSH, updated, killed and cut, on machines with a real systemd; as root; MACHINE="updates --full"
	@tests/machine/prepare.sh
	@$(RUN)python -m tests.machine $(MACHINE)

test-image: setup ## The flashable image, built and booted in QEMU; the aarch64 bundle under qemu-user; as root
	@tests/image/prepare.sh
	@$(RUN)python -m tests.image $(IMAGE)

test-browser: setup ## Carers in a real Chromium at three sizes, with axe; pictures in build/browser; BROWSER="-k round"
	@tests/browser/prepare.sh
	$(RUN)pytest tests/browser $(BROWSER)

fuzz: setup ## Random, mutated and coverage-guided payloads for every decoder; FUZZ="--payloads 10000000" for the aim
	@$(RUN)python -m tests.fuzz $(FUZZ)

model: train-tools ## Train both models again from DATA; MODEL="--only rhythm" for one
	@.venv-train/bin/python -m models.train --data $(DATA) $(MODEL)

model-report: train-tools ## What the models came to, as a page: build/model/report.html (after make model)
	@.venv-train/bin/python -m models.train.report --predictions build/model --into build/model/report.html

model-replay: setup train-tools ## A person whom the model has not seen, through the hub: risk, words, shadow record
	@$(RUN)python -m tests.model_replay --data $(DATA)

train-tools: # What training needs and a hub does not: python3.11, 1.5 GB in .venv-train
	@test -x .venv-train/bin/python || python3.11 -m venv .venv-train
	@.venv-train/bin/python -m pip install --quiet -e '.[train]'

page-styles: ## Make the staff page's styles and htmx anew (hub/web/vendor); for a developer's machine with npm
	@hub/web/vendor/make.sh

lock: setup ## Write requirements.lock anew from pyproject.toml
	$(RUN)uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --extra dev --extra virtual --extra systemd --extra provisioning --output-file requirements.lock pyproject.toml
