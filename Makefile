.PHONY: build test quick try bench bench-vm vm-all docs conformance
build: ; scripts/build
test:  ; scripts/test
quick: ; scripts/test --quick
try:   ; scripts/try
bench: ; scripts/bench
bench-vm: ; scripts/bench-vm
vm-all: ; scripts/vm all
docs:  ; scripts/docs
conformance: ; scripts/conformance
