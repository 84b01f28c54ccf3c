package source

import (
	"context"
	"encoding/base64"
	"fmt"
	"path"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// Where VMware's tools put the specification and its files when the machine starts, and how long they may take.
const (
	customizationFolder = "/var/run/vmware-imc"
	customizationWait   = 15 * time.Second
	customizationStep   = 200 * time.Millisecond
)

// The states of guest customization that VMware is told, and what of it failed: numbers of its own protocol, which
// open-vm-tools has in deployPkg.
const (
	customizationRuns, customizationDone = 4, 5
	customizationFailed                  = 100
	customizationNoScripts               = 6
	customizationConnects                = 103
	customizationIsConnected             = 104
)

// A customization is carried out once, when VMware's tools have put it there.
type customization struct {
	e      *Env
	spec   specification
	failed bool
}

// customized carries out what VMware's guest customization wants, and is what it says of the machine. It is nil where there is
// none. Its files are gone afterwards: the password and the scripts are in them.
func (e *Env) customized(ctx context.Context) (*guestData, error) {
	isAllowed, isRawAllowed := !e.Config.Get("disable_vmware_customization").Truth(true), e.config("VMware").Get("allow_raw_data").Truth(true)
	file := path.Join(customizationFolder, "cust.cfg")
	if customizationPlugin(e) == "" || !isAllowed && !isRawAllowed || !e.awaitsFile(ctx, file) {
		return nil, nil
	}
	text, err := e.Machine.Files.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	c := &customization{e: e, spec: readSpecification(text)}
	defer c.clear()
	isRaw := c.spec["CLOUDINIT|METADATA"] != ""
	if isRaw && !isRawAllowed || !isRaw && !isAllowed {
		e.debug("No allowed customization configuration data found")
		return nil, nil
	}
	c.status(ctx, "Started")
	found := &guestData{way: "imc", key: "vmware-tools", values: map[string]string{}}
	if isRaw {
		err = c.readRaw(ctx, found)
	} else {
		c.carryOut(ctx)
		found.values["metadata"] = c.spec.metadata(e)
		if zone := c.spec["DATETIME|TIMEZONE"]; zone != "" {
			found.config = []byte(conf.JSON(map[string]any{"timezone": zone}))
		}
		c.connect(ctx)
	}
	if err == nil && !c.failed {
		c.tell(ctx, customizationDone, 0, "")
		c.status(ctx, "Successful")
	}
	return found, err
}

// awaitsFile waits until the tools have put a file there, in the local stage: what did not come then is not awaited again.
func (e *Env) awaitsFile(ctx context.Context, name string) bool {
	limit := seconds(e.config("VMware").Get("vmware_cust_file_max_wait"), customizationWait)
	for waited := time.Duration(0); !machine.Exists(e.Machine.Files, name); waited += customizationStep {
		if waited >= limit || e.Stage != Local || machine.Pause(ctx, customizationStep) != nil {
			return false
		}
	}
	return true
}

// readRaw reads the files of cloud-init's own that the specification names.
func (c *customization) readRaw(ctx context.Context, found *guestData) error {
	for key, name := range map[string]string{"metadata": c.spec["CLOUDINIT|METADATA"], "userdata": c.spec["CLOUDINIT|USERDATA"]} {
		if name == "" {
			continue
		}
		text, err := c.e.Machine.Files.Read(path.Join(customizationFolder, path.Base(name)))
		if err != nil {
			err = fmt.Errorf("%w: read the %s of guest customization: %w", ErrSilent, key, err)
			c.fail(ctx, customizationFailed, "Error locating the cloud-init "+key+" file", err)
			return err
		}
		found.values[key] = strings.ReplaceAll(text, "\r", "")
	}
	return nil
}

// carryOut runs the scripts and sets the password, once for each specification with a name. What fails is said, and told.
func (c *customization) carryOut(ctx context.Context) {
	id := path.Base(c.spec["MISC|MARKER-ID"])
	data := path.Join(path.Dir(c.e.Seed), "data")
	marker := path.Join(data, ".markerfile-"+id+".txt")
	if c.spec["MISC|MARKER-ID"] == "" || machine.Exists(c.e.Machine.Files, marker) {
		return
	}
	script := c.spec["CUSTOM-SCRIPT|SCRIPT-NAME"]
	if script != "" && !c.mayRunScripts(ctx) {
		c.fail(ctx, customizationNoScripts, "Custom script is disabled by VM Administrator", errDisabledScripts)
		script = ""
	}
	steps := []struct {
		wanted bool
		name   string
		do     func(context.Context, string) error
	}{
		{script != "", "Error executing pre-customization script", c.runScript},
		{true, "Error applying password configuration", c.setPassword},
		{script != "", "Error executing post-customization script", c.leaveScript},
	}
	for _, step := range steps {
		if !step.wanted {
			continue
		}
		if err := step.do(ctx, script); err != nil {
			c.fail(ctx, customizationFailed, step.name, err)
		}
	}
	names, _ := c.e.Machine.Files.List(data)
	for _, name := range names {
		if strings.HasPrefix(name, ".markerfile") {
			c.e.Machine.Files.Remove(path.Join(data, name))
		}
	}
	c.put(marker, machine.File(0o644, ""))
}

var errDisabledScripts = fmt.Errorf("enable-custom-scripts in the section deployPkg of VMware's tools is not true")

// mayRunScripts says whether whoever looks after the machine lets scripts of the customization run.
func (c *customization) mayRunScripts(context.Context) bool {
	if installed(c.e, "vmware-toolbox-cmd") != "" {
		text, err := ask(c.e, "vmware-toolbox-cmd", "config", "get", "deployPkg", "enable-custom-scripts")
		if _, value, ok := strings.Cut(text, "="); ok && err == nil {
			return strings.EqualFold(strings.TrimSpace(value), "true")
		}
	}
	return c.spec.says("MISC|DEFAULT-RUN-POST-CUST-SCRIPT")
}

// Where the script of the customization is kept for itself: it calls this name again after the boot.
const (
	customizationHome   = "/root/.customization"
	customizationScript = customizationHome + "/customize.sh"
	customizationAfter  = "post-customize-guest.sh"
	customizationMark   = "/.guest-customization-post-reboot-pending"
)

// keepScript puts the script where it is kept.
func (c *customization) keepScript(script string) error {
	text, err := c.e.Machine.Files.Read(path.Join(customizationFolder, path.Base(script)))
	if err != nil {
		return err
	}
	if err := machine.MakeFolders(c.e.Machine.Files, customizationHome, machine.Folder(0o755)); err != nil {
		return err
	}
	_, err = c.e.Machine.Files.Put(customizationScript, machine.File(0o544, strings.ReplaceAll(text, "\r", "")))
	return err
}

// runScript runs the script before anything of the machine is configured.
func (c *customization) runScript(ctx context.Context, script string) error {
	if err := c.keepScript(script); err != nil {
		return err
	}
	return c.e.Machine.Commands.Run(ctx, machine.Program{Argv: []string{customizationScript, "precustomization"}, Reads: customizationScript})
}

// leaveScript has the script run again when all is configured: by the one that VMware's tools give beside it, which runs with
// a person's scripts.
func (c *customization) leaveScript(_ context.Context, script string) error {
	if err := c.keepScript(script); err != nil {
		return err
	}
	text, err := c.e.Machine.Files.Read(path.Join(customizationFolder, customizationAfter))
	if err != nil {
		return err
	}
	folder := path.Join(path.Dir(c.e.Seed), "scripts/per-instance")
	if err := machine.MakeFolders(c.e.Machine.Files, folder, machine.Folder(0o755)); err != nil {
		return err
	}
	if _, err := c.e.Machine.Files.Put(path.Join(folder, customizationAfter), machine.File(0o755, text)); err != nil {
		return err
	}
	_, err = c.e.Machine.Files.Put(customizationMark, machine.File(0o644, ""))
	return err
}

// setPassword sets root's password, and has everybody who is root choose a new one at the next login.
func (c *customization) setPassword(ctx context.Context, _ string) error {
	password, err := base64.StdEncoding.DecodeString(c.spec["PASSWORD|-PASS"])
	if text := strings.TrimRight(string(password), "\r\n"); err == nil && text != "" {
		err = c.e.Machine.Commands.Do(ctx, machine.Change{Argv: []string{"chpasswd"}, Stdin: instance.Hide("root:" + text + "\n"), Touches: []string{"/etc/shadow"}})
	}
	if err != nil || !c.spec.says("PASSWORD|RESET") {
		return err
	}
	users, err := c.e.Machine.Files.Read("/etc/passwd")
	for line := range strings.Lines(users) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && fields[2] == "0" && err == nil {
			err = c.e.Machine.Commands.Do(ctx, machine.Change{Argv: []string{"passwd", "--expire", fields[0]}, Touches: []string{"/etc/shadow"}})
		}
	}
	return err
}

// connect has VMware connect the interfaces that it leaves disconnected until the machine is customized.
func (c *customization) connect(ctx context.Context) {
	nics, err := c.e.Machine.Files.Read(path.Join(customizationFolder, "nics.txt"))
	if err != nil {
		return
	}
	nics = strings.TrimSpace(nics[:min(len(nics), 1024)])
	c.tell(ctx, customizationRuns, customizationConnects, nics)
	for range 5 {
		answer, err := ask(c.e, "vmware-rpctool", stateOf(customizationRuns, customizationIsConnected, nics))
		if err != nil || strings.TrimSpace(answer) == "connected" || machine.Pause(ctx, time.Second) != nil {
			return
		}
	}
	c.e.warn("VMware did not connect the network interfaces %s", nics)
}

// fail says what failed, and tells VMware.
func (c *customization) fail(ctx context.Context, what int, step string, err error) {
	c.failed = true
	c.e.warn("%s: %v", step, err)
	c.tell(ctx, customizationRuns, what, "")
	c.status(ctx, step)
}

// stateOf is what tells VMware how far customization is.
func stateOf(state, event int, more string) string {
	text := fmt.Sprintf("deployPkg.update.state %d %d /var/log/cloud-init.log", state, event)
	if more != "" {
		text += "@" + more
	}
	return text
}

func (c *customization) tell(ctx context.Context, state, event int, more string) {
	c.e.tellVMware(ctx, stateOf(state, event, more))
}

// status writes a word into guestinfo, where the specification wants that.
func (c *customization) status(ctx context.Context, text string) {
	if c.spec.says("MISC|POST-GC-STATUS") {
		c.e.tellVMware(ctx, "info-set guestinfo.gc.status "+text)
	}
}

// tellVMware tells the hypervisor something, with the first of its tools that is there.
func (e *Env) tellVMware(ctx context.Context, text string) {
	for _, tool := range guestTools(e) {
		err := e.Machine.Commands.Do(ctx, machine.Change{Argv: append(tool, text), Limit: askLimit})
		if err == nil {
			return
		}
		e.debug("tell VMware %q: %v", text, err)
	}
}

// put writes a file of the customization's.
func (c *customization) put(name string, n machine.Node) {
	if _, err := c.e.Machine.Files.Put(name, n); err != nil {
		c.e.warn("write %s: %v", name, err)
	}
}

// clear takes the files of the customization away.
func (c *customization) clear() {
	names, _ := c.e.Machine.Files.List(customizationFolder)
	for _, name := range append(names, "") {
		if _, err := c.e.Machine.Files.Remove(path.Join(customizationFolder, name)); err != nil {
			c.e.warn("remove what guest customization was carried out with: %v", err)
		}
	}
}
