// Command openguest configures a virtual machine as its cloud and its owner say. Called as cloud-init or cloud-id it
// answers as those do.
package main

import (
	"os"
	"runtime"

	"openguest/internal/cli"
)

func main() {
	// With one processor the runtime's monitor takes it from each thread that waits in the kernel, though no other wants it, and
	// wakes every 80 µs to do so. With a second one, which stays idle, it sleeps.
	if runtime.NumCPU() == 1 {
		runtime.GOMAXPROCS(2)
	}
	os.Exit(cli.Main(os.Args))
}
