# Go and make are all that has to be there. `make` lists the targets.

export GOTOOLCHAIN := local

SHELL   := /bin/sh
MODULES  = $(shell go list -m -f '{{.Dir}}')
LINT    := bin/golangci-lint

# each runs a command in every module of the workspace, and stops at the first failure.
each = @set -e; for dir in $(MODULES); do echo "== $${dir\#\#*/}: $(1)"; (cd "$$dir" && $(1)); done

.DEFAULT_GOAL := help
.PHONY: help run test lint bench fuzz soak tidy fmt generate build vet gofmt-clean tidy-clean generate-clean golangci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run the demo on the embedded default (ARGS="..." passes arguments)
	@go run ./playground $(ARGS)

test: build ## run every test of every module with the race detector, and every benchmark once
	@race=$$(sh tools/race.sh) && go run ./tools/testenv -- go run ./tools/testrun $$race -shuffle=on $(TESTFLAGS)
	@echo '== exhaustive search of the dispatch rules, and tests of scale, without the race detector'
	@out=$$(go test -count=1 -run 'Exhaustive|Scale' -v . ./flow); code=$$?; \
	printf '%s\n' "$$out" | grep -E '^(ok|FAIL|---|panic)|visited|caught|scale_test'; exit $$code

lint: gofmt-clean vet golangci tidy-clean generate-clean ## check format, vet, golangci-lint, go.mod files, generated files
	@echo 'lint: clean'

bench: ## compare with our peers (ARGS="memory --json", "--quick")
	@go run ./bench $(or $(ARGS),memory)

fuzz: ## run every fuzz target for FUZZTIME (default 30s) each
	@sh tools/fuzz.sh

soak: ## repeat all tests for SOAK_MINUTES (default 10)
	@sh tools/soak.sh

tidy: ## tidy every go.mod
	@sh tools/tidy.sh

fmt: ## format every Go file
	@"$$(go env GOROOT)/bin/gofmt" -s -w .

generate: ## run go generate in every module
	$(call each,go generate ./...)

build:
	$(call each,go build -buildvcs=false -o /dev/null ./...)

vet:
	$(call each,go vet ./...)

gofmt-clean:
	@files=$$("$$(go env GOROOT)/bin/gofmt" -s -l .); \
	if [ -n "$$files" ]; then printf 'gofmt: run make fmt for:\n%s\n' "$$files" >&2; exit 1; fi

# The core also has to build without the workspace, as it does for those who import it.
tidy-clean:
	@echo '== go.mod files are tidy'
	@sh tools/tidy.sh --check
	@GOWORK=off go build ./...

generate-clean:
	@echo '== generated files are up to date'
	@sh tools/generate-clean.sh

golangci: $(LINT)
	$(call each,"$(CURDIR)/$(LINT)" run --config "$(CURDIR)/.golangci.yml" ./...)

$(LINT): tools/golangci-lint.mod tools/golangci-lint.sum
	@echo '== building golangci-lint (once; about two minutes)'
	@cd tools && GOWORK=off go build -modfile=golangci-lint.mod -o "$(CURDIR)/$(LINT)" \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint
