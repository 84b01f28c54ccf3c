package network

import (
	"io/fs"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// A Manager is a network manager that can be told what a model says. In the table of renderers it has Render, in that of activators
// BringUp.
type Manager struct {
	Name string // as cloud.cfg spells it in system_info.network, renderers or activators: "eni"
	Doc  string // a sentence for the reference

	// Available says whether the machine has that network manager, and by which fact.
	Available func(t Target) (ok bool, why string)

	// Render lists the files that say it. It changes nothing.
	Render func(m *Model, t Target) ([]File, []conf.Problem)

	// After are the commands that its network manager needs once files were changed, before it starts; nil: none.
	After func(t Target) []machine.Change

	// BringUp are the commands that bring up the interfaces of a model, once its files are there.
	BringUp func(m *Model) []machine.Change
}

// A Target is the system that a model is rendered for. Renderers only read from it.
type Target struct {
	Files   machine.Files
	Facts   *machine.Facts
	Host    Host
	Variant string // the family as cloud-init names it: "debian", "ubuntu", "rhel", "suse", "photon", …
}

// A File is what a renderer wants to be so.
type File struct {
	Path string
	Text string
	Mode fs.FileMode // 0: 0644
	User string      // the owner; empty: root
	Gone bool        // it is not to be there, as far as it is ours
}

// Renderers write the files of a network manager, in the order in which cloud-init tries them where no list says otherwise.
func Renderers() []Manager {
	return []Manager{
		rendererENI(),
		rendererSysconfig(),
		rendererNetplan(),
		rendererNetworkManager(),
		rendererNetworkd(),
	}
}
