// Command openguest-host is what stands outside the virtual machine: a metadata server, and what makes and tries machines.
package main

import (
	"os"

	"openguest/internal/hostcli"
)

func main() { os.Exit(hostcli.Main(os.Args, os.Stdout, os.Stderr)) }
