package engine

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"openguest/internal/machine"
	"openguest/internal/module"
)

// addressConfig is the drop-in that holds what the kernel command line's address gave.
const addressConfig = cloudConfig + ".d/91_kernel_cmdline_url.cfg"

// fetchConfig fetches the configuration whose address the kernel command line gives: cloud-config-url=ADDRESS. Both init
// stages do it, at every boot: in the local stage there may be a network that the initial RAM disk brought up. What is a file
// of this machine is read once.
func (e *Engine) fetchConfig(ctx context.Context) {
	address := e.configAddress()
	local := strings.HasPrefix(address, "/") || strings.HasPrefix(address, "file://")
	if address == "" || local && machine.Exists(e.state.Files, addressConfig) {
		return
	}
	level := module.Warning
	if e.stage == Local && !local {
		level = module.Debug // the network is brought up later, as a rule
	}
	text, err := e.readConfig(ctx, address)
	if err != nil {
		e.log.Log(level, "the kernel command line's cloud-config-url: %v", err)
		return
	}
	if !strings.HasPrefix(text, "#cloud-config") {
		e.log.Log(module.Warning, "contents of '%s' did not start with #cloud-config; it is not used", machine.PublicURL(address))
		return
	}
	if err := e.keepConfig(text); err != nil {
		e.log.Log(module.Warning, "keep the configuration of the kernel command line: %v", err)
		return
	}
	e.log.Log(module.Info, "wrote cloud-config data from cloud-config-url='%s' to %s", machine.PublicURL(address), addressConfig)
	e.load()
}

func (e *Engine) keepConfig(text string) error {
	if err := machine.MakeFolders(e.machine.Files, path.Dir(addressConfig), machine.Folder(0o755)); err != nil {
		return err
	}
	_, err := e.machine.Files.Put(addressConfig, machine.File(0o600, text))
	return err
}

// configAddress is the address on the kernel command line; empty where there is none. The key url, which installers use for
// other things, is said and not read.
func (e *Engine) configAddress() (address string) {
	old := false
	for _, word := range machine.ParseCommandLine(e.commandLine()) {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "cloud-config-url":
			address = value
		case "url":
			old = true
		}
	}
	if address == "" && old {
		e.log.Log(module.Debug, "the kernel command line's url is not read; cloud-config-url is")
	}
	return address
}

// readConfig gets the text at an address, which may be the name of a file.
func (e *Engine) readConfig(ctx context.Context, address string) (string, error) {
	if name, ok := strings.CutPrefix(address, "file://"); ok || strings.HasPrefix(address, "/") {
		text, err := e.state.Files.Read(name)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		return text, nil
	}
	wait := time.Second
	if e.stage == Local {
		wait = 100 * time.Millisecond
	}
	r, err := e.state.Net.Fetch(ctx, machine.Request{URL: address, Tries: 3, Timeout: 10 * time.Second, Wait: wait})
	return string(r.Body), err
}
