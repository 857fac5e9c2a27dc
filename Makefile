# `make` says what there is. `make check` is exactly what CI runs.

# Tools that are not modules of ours: pinned here and nowhere else.
LINT_VERSION := v2.15.0

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 20s
LINT     := bin/golangci-lint-$(LINT_VERSION)

.DEFAULT_GOAL := help
.PHONY: help build test race check fmt vet lint tidy example bench demo fuzz docker

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/fulfilld
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/fulfilld ./cmd/fulfilld

test: ## Run the tests
	go test ./...

race: ## Run the tests with the race detector, in random order
	go test -race -shuffle=on -timeout 30m ./...

check: fmt vet lint race tidy example ## Everything that must pass before a commit lands

fmt: ## Name the files that gofmt would change
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

vet: ## Run go vet
	go vet ./...

lint: $(LINT) ## Run the linters of .golangci.yml
	$(LINT) config verify
	$(LINT) run

# Built from source once, into a file that carries its version: a new pin is a
# new file. It takes two minutes on two cores.
$(LINT):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

tidy: ## Show what go mod tidy would change
	go mod tidy -diff

example: ## Check the example config
	POLAR_WEBHOOK_SECRET=only-for-make-check-0123456789 FULFILLD_ADMIN_TOKEN=only-for-make-check-0123456789 \
		go run ./cmd/fulfilld check --config deploy/fulfilld.example.yaml

bench: ## Measure what the README promises
	go run ./internal/bench

demo: ## See it work: a shop, a customer and a daemon in one process
	go run ./cmd/fulfilld demo

# go test -fuzz takes one target at a time. Until Go 1.27 it may fail because the
# time is up (https://go.dev/issue/75804), having found nothing.
fuzz: ## Run each fuzz target for FUZZTIME (20s)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	grep -roE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | while IFS=: read -r file func; do \
		name=$${func#func }; dir=$$(dirname "$$file"); \
		echo "--- $$name in $$dir"; \
		failed=; go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=1s "$$dir" </dev/null >"$$log" 2>&1 || failed=1; \
		[ -z "$$failed" ] || { grep -q '^ *context deadline exceeded$$' "$$log" && ! grep -q 'Failing input' "$$log"; } || { cat "$$log"; exit 1; }; \
		sed -n '/^fuzz:/p' "$$log"; \
	done

docker: ## Build the image fulfilld:VERSION
	docker build --build-arg VERSION=$(VERSION) -t fulfilld:$(VERSION) .
