.PHONY: build test quick try bench docs
build: ; scripts/build
test:  ; scripts/test
quick: ; scripts/test --quick
try:   ; scripts/try
bench: ; scripts/bench
docs:  ; scripts/docs
