// Command openguest configures a virtual machine as its cloud and its owner say. Called as cloud-init or cloud-id it
// answers as those do.
package main

import (
	"os"

	"openguest/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args)) }
