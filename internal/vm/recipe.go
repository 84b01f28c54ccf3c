package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recipeVersion changes whenever an image is made in another way that the recipe's words do not show.
const recipeVersion = "4"

// packages are what a small cloud image of Debian has.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "udev", "libpam-systemd", "libnss-systemd", "linux-image-cloud-amd64", "openssh-server", "iproute2",
	"sudo", "login", "passwd", "tzdata", "cloud-guest-utils", "e2fsprogs", "gdisk", "fdisk", "ca-certificates", "curl", "procps", "kmod", "util-linux",
}

// A recipe is all that decides what is in an image.
type recipe struct {
	release  string
	packages []string
	sources  []string
	settings []string // of apt
}

func (b *Builder) recipe() (recipe, error) {
	m := hostMirrors()
	if m.main = or(b.Mirror, m.main); m.main == "" {
		return recipe{}, errors.New("find a mirror of Debian: this host's apt knows none; name one with --mirror")
	}
	return recipe{release: b.Release, packages: slices.Concat(packages, b.Packages), sources: m.lines(b.Release), settings: aptSettings()}, nil
}

// aptSettings are the host's settings without which its mirrors cannot be reached, such as a proxy.
func aptSettings() (all []string) {
	out, err := run(context.Background(), "apt-config", "dump", "Acquire")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		name, value, _ := strings.Cut(line, " ")
		if value != `"";` && (strings.HasPrefix(name, "Acquire::http") || strings.HasPrefix(name, "Acquire::Check") || name == "Acquire::Retries") {
			all = append(all, line)
		}
	}
	return all
}

// words are all that decides what is in an image, but for where it is made.
func (r recipe) words() []string {
	words := append([]string{recipeVersion, initScript, strings.Join(modules, " ")}, r.arguments("", "")...)
	for _, f := range ownFiles() {
		words = append(words, f.Name, f.Link, string(f.Data))
	}
	return words
}

// cook makes the disk, kernel and initrd in a folder.
func (r recipe) cook(ctx context.Context, dir string, progress func(string)) error {
	tree := filepath.Join(dir, "tree")
	progress(fmt.Sprintf("installing Debian %s (about a minute, once)", r.release))
	defer remove(tree)
	if err := r.install(ctx, dir, tree, progress); err != nil {
		return err
	}
	if err := customize(tree); err != nil {
		return err
	}
	progress("writing the disk")
	image := &Image{dir: dir}
	if err := takeKernel(ctx, tree, filepath.Join(dir, "busybox"), image); err != nil {
		return err
	}
	return writeDisk(ctx, tree, image.disk())
}

// install installs the packages. A mirror may lack what its list of updates names; the release as it came out does as well then.
func (r recipe) install(ctx context.Context, dir, tree string, progress func(string)) error {
	c := command(ctx, "mmdebstrap", r.arguments(dir, tree)...)
	c.Env = append(os.Environ(), "INITRD=No") // Debian's own initrd takes half as long as all else, and nothing boots it
	_, err := output(ctx, "mmdebstrap", c)
	var failed *programError
	if !errors.As(err, &failed) || !strings.Contains(failed.text, "E: Failed to fetch") || len(r.sources) == 1 {
		return err
	}
	progress("the mirror lacks updates that it lists; installing the release without them")
	remove(tree)
	r.sources = r.sources[:1]
	return r.install(ctx, dir, tree, progress)
}

// The steps of an installation that save time. dpkg leaves out what nobody reads in a machine, and does not wait for the disk after each
// file, for an image is there whole or not at all; the ssh server's package makes no keys where there are some. What dpkg leaves out is
// not said by mmdebstrap's own options, for it would send all files of the first packages through a filter in Python then.
const (
	beforeInstall = `cd "$1" && mkdir -p etc/dpkg/dpkg.cfg.d etc/ssh &&
printf 'path-%s\n' 'exclude=/usr/share/man/*' 'exclude=/usr/share/locale/*' 'exclude=/usr/share/doc/*' 'include=/usr/share/doc/*/copyright' >etc/dpkg/dpkg.cfg.d/lab &&
echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/building &&
touch etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_ecdsa_key etc/ssh/ssh_host_ed25519_key`
	beforeDpkg   = `cd "$1" && find usr/share/man usr/share/locale -mindepth 1 -delete && find usr/share/doc ! -type d ! -name copyright -delete`
	afterInstall = `cd "$1" && rm etc/dpkg/dpkg.cfg.d/building etc/ssh/ssh_host_*_key*`
)

func (r recipe) arguments(dir, tree string) []string {
	args := []string{
		"--mode=root", "--variant=minbase", "--include=" + strings.Join(append([]string{"busybox-static"}, r.packages...), ","),
		"--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\"",
		"--setup-hook=" + beforeInstall, "--extract-hook=" + beforeDpkg, "--customize-hook=" + afterInstall,
		// The initrd is made of busybox; the image does not keep it.
		`--customize-hook=cp "$1/bin/busybox" "` + filepath.Join(dir, "busybox") + `"`,
		`--customize-hook=chroot "$1" dpkg --purge busybox-static`,
	}
	for _, s := range r.settings {
		args = append(args, "--aptopt="+s)
	}
	args = append(args, r.mergedUsr()...)
	return append(append(args, r.release, tree), r.sources...)
}

// mergedUsr makes /bin, /lib and /sbin links, as Debian's installer does in all these releases.
func (r recipe) mergedUsr() []string {
	const hooks = "/usr/share/mmdebstrap/hooks/merged-usr"
	if r.release != "bullseye" {
		return []string{"--hook-dir=" + hooks}
	}
	// The package that the hook puts a stand-in for came with bookworm.
	return []string{"--setup-hook=" + hooks + "/setup00.sh", `--customize-hook=chroot "$1" dpkg --purge usr-is-merged`}
}

// imageFiles make of a Debian tree one that boots as the images of clouds do: no host keys, no machine id, networkd with DHCP on
// every interface that nothing else is said of, a shell on the serial console.
var imageFiles = []File{
	{Name: "/etc/hostname", Data: []byte("debian\n")},
	{Name: "/etc/hosts", Data: []byte("127.0.0.1 localhost\n::1 localhost\n")},
	{Name: "/etc/fstab", Data: []byte("LABEL=root / ext4 rw,discard,errors=remount-ro 0 1\n")},
	{Name: "/etc/machine-id"},
	{Name: "/etc/resolv.conf", Data: []byte("nameserver " + gatewayOf(0) + "\n")},
	{Name: "/etc/systemd/network/90-lab.network", Data: []byte("[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n[DHCPv4]\nRouteMetric=100\n")},
	{Name: "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", Link: "/lib/systemd/system/systemd-networkd.service"},
	{Name: "/etc/systemd/system/dbus-org.freedesktop.network1.service", Link: "/lib/systemd/system/systemd-networkd.service"},
	{Name: "/etc/systemd/system/sockets.target.wants/systemd-networkd.socket", Link: "/lib/systemd/system/systemd-networkd.socket"},
	{Name: "/etc/systemd/system/network-online.target.wants/systemd-networkd-wait-online.service", Link: "/lib/systemd/system/systemd-networkd-wait-online.service"},
	{Name: "/etc/systemd/system/serial-getty@ttyS0.service.d/lab.conf", Data: []byte("[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I vt220\n")},
}

// idle are units of Debian that do nothing for a machine of the lab, and take an emulated processor seconds. Root's own service manager
// is among them: only the lab logs in as root, and would wait for it.
var idle = []string{
	"apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "dpkg-db-backup.timer", "fstrim.timer",
	"systemd-binfmt.service", "systemd-pstore.service", "modprobe@efi_pstore.service", "modprobe@drm.service", "modprobe@fuse.service",
	"sys-fs-fuse-connections.mount", "modprobe@configfs.service", "sys-kernel-config.mount", "user@0.service",
}

// ownFiles are all files that make of a tree of Debian an image.
func ownFiles() []File {
	files := slices.Clone(imageFiles)
	for _, unit := range idle {
		files = append(files, File{Name: "/etc/systemd/system/" + unit, Link: "/dev/null"})
	}
	return files
}

// customize puts the image's own files into the tree.
func customize(tree string) error {
	for _, f := range ownFiles() {
		if err := f.place(tree); err != nil {
			return fmt.Errorf("put %s into the image: %w", f.Name, err)
		}
	}
	return nil
}

// place writes the file below a folder.
func (f *File) place(root string) error {
	name := filepath.Join(root, f.Name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	if f.Link != "" {
		return os.Symlink(f.Link, name)
	}
	return os.WriteFile(name, f.Data, os.FileMode(or(f.Mode, 0o644)))
}
