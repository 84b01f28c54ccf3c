package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"openguest/internal/command"
	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/machine"
	"openguest/internal/network"
)

// networkCommand shows the network, and renders descriptions by hand.
func (p *program) networkCommand() *command.Command {
	return &command.Command{Use: "network", Short: "Show and render descriptions of networks",
		Commands: []*command.Command{p.networkRenderCommand(), p.networkShowCommand(), p.networkWhyCommand()}}
}

// A conversion reads a description from a file, and writes the files of a network manager below a folder.
type conversion struct {
	in, kind, to, out, variant string
	macs                       []string
}

// inputFlags say what is read; more follow them.
func (f *conversion) inputFlags(more ...command.Flag) []command.Flag {
	return append([]command.Flag{
		command.Text(&f.in, "in", "", "the file with the description; - is the standard input"),
		command.Text(&f.kind, "kind", "", "what it is: "+strings.Join(network.Kinds(), ", ")+"; without it, its version says it").Of(network.Kinds()...),
		command.List(&f.macs, "mac", "", "NAME=MAC of an interface that the machine has"),
	}, more...)
}

func (p *program) networkRenderCommand() *command.Command {
	var f conversion
	targets := append(rendererNames(), "sysconfig-suse")
	return &command.Command{Use: "render", Short: "Write what a network manager needs for a description, below a folder",
		Flags: f.inputFlags(
			command.Text(&f.to, "to", "", "the network manager: "+strings.Join(targets, ", ")).Of(targets...),
			command.Text(&f.out, "out", "", "the folder below which each file is written at its path"),
			command.Text(&f.variant, "variant", "", "the distribution, such as debian: some have paths of their own"),
		),
		Run: func(context.Context, []string) error {
			if f.in == "" || f.to == "" || f.out == "" {
				return command.Mistakef("--in, --to and --out are needed")
			}
			if f.to == "sysconfig-suse" {
				f.to, f.variant = "sysconfig", "suse"
			}
			return p.render(f, true)
		}}
}

func rendererNames() (names []string) {
	for _, r := range network.Renderers() {
		names = append(names, r.Name)
	}
	return names
}

// render writes the files, and says which where that is wanted.
func (p *program) render(f conversion, isTold bool) error {
	m, host, err := p.model(f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return fmt.Errorf("make the folder for the files: %w", err)
	}
	tree, err := machine.Tree(f.out)
	if err != nil {
		return err
	}
	all := network.Renderers()
	r := all[slices.IndexFunc(all, func(r network.Manager) bool { return r.Name == f.to })]
	files, problems := r.Render(m, network.Target{Files: modern{tree.Files}, Facts: tree.Facts, Host: host, Variant: f.variant})
	p.networkProblems(problems)
	for _, f := range files {
		if f.Gone {
			continue
		}
		if err := writeOwn(tree.Files, f); err != nil {
			return err
		}
		if isTold {
			fmt.Fprintln(p.stdout, f.Path)
		}
	}
	return nil
}

// writeOwn writes a file that belongs to who runs the program, who need not be root.
func writeOwn(files machine.Files, f network.File) error {
	uid, gid := os.Geteuid(), os.Getegid()
	if err := machine.MakeFolders(files, path.Dir(f.Path), machine.Folder(0o755).Owned(uid, gid)); err != nil {
		return err
	}
	_, err := files.Put(f.Path, machine.File(cmp.Or(f.Mode, 0o644), f.Text).Owned(uid, gid))
	return err
}

// modern are the files of a system that has ip, and a netplan that knows of everything.
type modern struct{ machine.Files }

func (f modern) Look(name string) (machine.Node, error) {
	if name == "/usr/sbin/ip" {
		return machine.File(0o755, ""), nil
	}
	return f.Files.Look(name)
}

func (f modern) Read(name string) (string, error) {
	if path.Base(name) == "_features.py" {
		return "dhcp-use-domains ipv6-mtu", nil
	}
	return f.Files.Read(name)
}

// model reads the description, and says what of it cannot be used.
func (p *program) model(f conversion) (*network.Model, network.Host, error) {
	var host network.Host
	for _, mac := range f.macs {
		name, address, ok := strings.Cut(strings.Replace(mac, ",", "=", 1), "=")
		if !ok {
			return nil, host, command.Mistakef("argument --mac: %s should be NAME=MAC", mac)
		}
		host.NICs = append(host.NICs, machine.NIC{Name: name, MAC: strings.ToLower(address)})
	}
	text, err := given(machine.Machine{}, f.in, "").read()
	if err != nil {
		return nil, host, fmt.Errorf("read the description: %w", err)
	}
	document := conf.Of(text, conf.Origin{Part: f.in, Line: 1, Col: 1})
	if !network.IsText(f.kind) {
		v, problems, err := conf.Parse(f.in, []byte(text))
		if err != nil {
			return nil, host, err
		}
		p.networkProblems(problems)
		document = v
	}
	m, problems, err := network.Read(cmp.Or(f.kind, kindOf(document)), document, host)
	p.networkProblems(problems)
	return m, host, err
}

// kindOf is what a description says that it is.
func kindOf(v *conf.Value) string {
	if inner := v.Get("network"); inner != nil {
		v = inner
	}
	switch version := v.Get("version"); {
	case !version.IsNull():
		return "v" + version.Text
	case v.Get("links") != nil:
		return "network_data"
	case v.Get("interfaces").Get("macs") != nil:
		return "ec2"
	}
	return "v1"
}

func (p *program) networkProblems(problems []conf.Problem) {
	for _, problem := range problems {
		fmt.Fprintln(p.stderr, problem)
	}
}

func (p *program) networkShowCommand() *command.Command {
	var f conversion
	return &command.Command{Use: "show", Short: "Show the network as it should be, of this machine or of a file",
		Flags: f.inputFlags(p.rootFlag()),
		Run: func(ctx context.Context, _ []string) error {
			if f.in != "" {
				m, _, err := p.model(f)
				if err == nil {
					fmt.Fprint(p.stdout, m.Outline())
				}
				return err
			}
			n, err := p.networking(ctx)
			if err != nil || n.Document == nil {
				fmt.Fprintln(p.stdout, "nobody describes a network, or somebody wants none")
				return err
			}
			m, problems, err := network.Read(n.Kind, n.Document, n.Target.Host)
			p.networkProblems(problems)
			if err == nil {
				fmt.Fprint(p.stdout, m.Outline())
			}
			return err
		}}
}

func (p *program) networking(ctx context.Context) (engine.Networking, error) {
	m, err := p.machine()
	if err != nil {
		return engine.Networking{}, err
	}
	return engine.NetworkOf(ctx, m), nil
}

func (p *program) networkWhyCommand() *command.Command {
	return &command.Command{Use: "why", Short: "Say where the network's description is from, and why which network manager is told",
		Flags: []command.Flag{p.rootFlag()},
		Run: func(ctx context.Context, _ []string) error {
			n, err := p.networking(ctx)
			if err != nil {
				return err
			}
			from := "none"
			if n.Document != nil {
				from = strings.TrimSuffix(fmt.Sprintf("%s, of kind %s: %s", n.From, n.Kind, n.Why), ": ")
			}
			_, renderer := network.Choose(n.Target, network.Renderers(), n.Renderers)
			_, activator := network.Choose(n.Target, network.Activators(), n.Activators)
			fmt.Fprintf(p.stdout, "description  %s\nrenderer     %s\nactivator    %s\n", from, renderer, activator)
			for _, left := range n.Record.Foreign(n.Target.Files) {
				fmt.Fprintf(p.stdout, "left alone   %s: it was changed since it was written\n", left)
			}
			return nil
		}}
}

// develCommand has cloud-init's command for converting descriptions.
func (p *program) develCommand() *command.Command {
	return &command.Command{Use: "devel", Short: "Tools for developers", Hidden: true,
		Commands: []*command.Command{p.netConvertCommand(), p.hotplugCommand(), p.hostKeysCommand()}}
}

func (p *program) netConvertCommand() *command.Command {
	var f conversion
	kinds := map[string]string{"eni": "eni", "yaml": "", "network_data.json": "network_data"}
	return &command.Command{Use: "net-convert", Short: "Write what a network manager needs for a description",
		Flags: []command.Flag{
			command.Text(&f.in, "network-data", "p", "the file with the description"),
			command.Text(&f.kind, "kind", "k", "what it is: eni, yaml or network_data.json").Of("eni", "yaml", "network_data.json"),
			command.Text(&f.out, "directory", "d", "the folder below which files are written"),
			command.Text(&f.variant, "distro", "D", "the distribution"),
			command.List(&f.macs, "mac", "m", "NAME,MAC of an interface that the machine has"),
			command.Text(&f.to, "output-kind", "O", "the network manager: "+strings.Join(rendererNames(), ", ")).Of(rendererNames()...),
			{Name: "debug", Usage: "accepted"},
		},
		Run: func(context.Context, []string) error {
			if f.in == "" || f.kind == "" || f.out == "" || f.variant == "" || f.to == "" {
				return command.Mistakef("-p/--network-data, -k/--kind, -d/--directory, -D/--distro and -O/--output-kind are required")
			}
			said := f.kind
			f.kind = kinds[said]
			fmt.Fprintf(p.stderr, "Read input format '%s' from '%s'.\nWrote output format '%s' to '%s/'\n\n", said, f.in, f.to, strings.TrimSuffix(f.out, "/"))
			return p.render(f, false)
		}}
}
