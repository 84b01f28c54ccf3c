package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/machine"
	"openguest/internal/network"
)

// networkCommand shows the network, and renders descriptions by hand.
func (p *program) networkCommand() *cobra.Command {
	c := &cobra.Command{Use: "network", Short: "Show and render descriptions of networks", Args: func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noCommand(c, args[0])
		}
		return usageError{c, errors.New("a command is needed; --help lists them")}
	}, RunE: func(*cobra.Command, []string) error { return nil }}
	c.AddCommand(p.networkRenderCommand(), p.networkShowCommand(), p.networkWhyCommand())
	return c
}

// A conversion reads a description from a file, and writes the files of a network manager below a folder.
type conversion struct {
	in, kind, to, out, variant string
	macs                       []string
}

func (f *conversion) inputFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.in, "in", "", "the file with the description; - is the standard input")
	c.Flags().StringVar(&f.kind, "kind", "", "what it is: "+strings.Join(network.Kinds(), ", ")+"; without it, its version says it")
	c.Flags().StringArrayVar(&f.macs, "mac", nil, "NAME=MAC of an interface that the machine has")
}

func (p *program) networkRenderCommand() *cobra.Command {
	var f conversion
	c := &cobra.Command{Use: "render", Short: "Write what a network manager needs for a description, below a folder", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.in == "" || f.to == "" || f.out == "" {
				return usageError{c, errors.New("--in, --to and --out are needed")}
			}
			if err := oneOf(c, "--to", f.to, append(rendererNames(), "sysconfig-suse")...); err != nil {
				return err
			}
			if f.to == "sysconfig-suse" {
				f.to, f.variant = "sysconfig", "suse"
			}
			return p.render(c, f, true)
		}}
	f.inputFlags(c)
	c.Flags().StringVar(&f.to, "to", "", "the network manager: "+strings.Join(rendererNames(), ", ")+", sysconfig-suse")
	c.Flags().StringVar(&f.out, "out", "", "the folder below which each file is written at its path")
	c.Flags().StringVar(&f.variant, "variant", "", "the distribution, such as debian: some have paths of their own")
	return c
}

func rendererNames() (names []string) {
	for _, r := range network.Renderers() {
		names = append(names, r.Name)
	}
	return names
}

// render writes the files, and says which where that is wanted.
func (p *program) render(c *cobra.Command, f conversion, isTold bool) error {
	m, host, err := p.model(c, f)
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
func (p *program) model(c *cobra.Command, f conversion) (*network.Model, network.Host, error) {
	var host network.Host
	for _, mac := range f.macs {
		name, address, ok := strings.Cut(strings.Replace(mac, ",", "=", 1), "=")
		if !ok {
			return nil, host, usageError{c, fmt.Errorf("argument --mac: %s should be NAME=MAC", mac)}
		}
		host.NICs = append(host.NICs, machine.NIC{Name: name, MAC: strings.ToLower(address)})
	}
	if f.kind != "" {
		if err := oneOf(c, "--kind", f.kind, network.Kinds()...); err != nil {
			return nil, host, err
		}
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

func (p *program) networkShowCommand() *cobra.Command {
	var f conversion
	c := &cobra.Command{Use: "show", Short: "Show the network as it should be, of this machine or of a file", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.in != "" {
				m, _, err := p.model(c, f)
				if err == nil {
					fmt.Fprint(p.stdout, m.Outline())
				}
				return err
			}
			n, err := p.networking(c)
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
	f.inputFlags(c)
	p.rootFlag(c)
	return c
}

func (p *program) networking(c *cobra.Command) (engine.Networking, error) {
	m, err := p.machine()
	if err != nil {
		return engine.Networking{}, err
	}
	return engine.NetworkOf(c.Context(), m), nil
}

func (p *program) networkWhyCommand() *cobra.Command {
	c := &cobra.Command{Use: "why", Short: "Say where the network's description is from, and why which network manager is told", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := p.networking(c)
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
	p.rootFlag(c)
	return c
}

// develCommand has cloud-init's command for converting descriptions.
func (p *program) develCommand() *cobra.Command {
	c := &cobra.Command{Use: "devel", Short: "Tools for developers", Hidden: true}
	c.AddCommand(p.netConvertCommand(), p.hotplugCommand(), p.hostKeysCommand())
	return c
}

func (p *program) netConvertCommand() *cobra.Command {
	var f conversion
	kinds := map[string]string{"eni": "eni", "yaml": "", "network_data.json": "network_data"}
	c := &cobra.Command{Use: "net-convert", Short: "Write what a network manager needs for a description", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.in == "" || f.kind == "" || f.out == "" || f.variant == "" || f.to == "" {
				return usageError{c, errors.New("-p/--network-data, -k/--kind, -d/--directory, -D/--distro and -O/--output-kind are required")}
			}
			kind, ok := kinds[f.kind]
			if !ok {
				return oneOf(c, "-k/--kind", f.kind, "eni", "yaml", "network_data.json")
			}
			if err := oneOf(c, "-O/--output-kind", f.to, rendererNames()...); err != nil {
				return err
			}
			said := f.kind
			f.kind = kind
			fmt.Fprintf(p.stderr, "Read input format '%s' from '%s'.\nWrote output format '%s' to '%s/'\n\n", said, f.in, f.to, strings.TrimSuffix(f.out, "/"))
			return p.render(c, f, false)
		}}
	c.Flags().StringVarP(&f.in, "network-data", "p", "", "the file with the description")
	c.Flags().StringVarP(&f.kind, "kind", "k", "", "what it is: eni, yaml or network_data.json")
	c.Flags().StringVarP(&f.out, "directory", "d", "", "the folder below which files are written")
	c.Flags().StringVarP(&f.variant, "distro", "D", "", "the distribution")
	c.Flags().StringArrayVarP(&f.macs, "mac", "m", nil, "NAME,MAC of an interface that the machine has")
	c.Flags().StringVarP(&f.to, "output-kind", "O", "", "the network manager: "+strings.Join(rendererNames(), ", "))
	c.Flags().Bool("debug", false, "accepted")
	return c
}
