.PHONY: build test quick try bench bench-vm vm-all docs conformance
build: ; scripts/build
test:  ; scripts/test
quick: ; scripts/test --quick
try:   ; scripts/try
bench: ; scripts/bench
bench-vm: ; scripts/bench-vm
vm-all: ; OPENGUEST_VM=all go test -timeout 90m -count 1 -v ./test/vm
docs:  ; scripts/docs
conformance: ; scripts/conformance
