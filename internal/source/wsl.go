package source

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf16"

	"openguest/internal/machine"
)

// wsl is the source of systems in the Windows Subsystem for Linux.
func wsl() *Source {
	return &Source{
		Name: "WSL",
		Doc: "Files below .cloud-init in the Windows user's folder: NAME.user-data, ID-VERSION.user-data, ID-all.user-data and " +
			"default.user-data, the first that there is; on Ubuntu those of Ubuntu Pro below .ubuntupro before them.",
		Match: matchWSL,
		Fetch: fetchWSL,
		Check: isSameWSL,
	}
}

// matchWSL looks for user-data of this system on a drive of Windows.
func matchWSL(f *machine.Facts, e *Env) Match {
	if kind := f.Virtualization(); kind != "wsl" {
		return Match{Why: "no WSL: the machine is " + kind}
	}
	drives := windowsDrives(e)
	if len(drives) == 0 {
		return Match{Why: "no drive of Windows is mounted"}
	}
	profile := windowsProfile(e, drives)
	if profile == "" {
		return Match{Why: "Windows does not say where its user's folder is"}
	}
	for _, name := range windowsFiles(f, e, profile) {
		if machine.Exists(e.Machine.Files, name) {
			return Match{Found: true, Why: "there is " + name}
		}
	}
	return Match{Why: "no user-data for this system below " + profile + "/.cloud-init"}
}

// windowsDrives are where the drives of Windows are mounted; see proc_pid_mounts(5).
func windowsDrives(e *Env) (places []string) {
	text, _ := e.Machine.Files.Read("/proc/mounts")
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) >= 4 && fields[2] == "9p" && strings.Contains(line, "aname=drvfs;") {
			places = append(places, fields[1])
		}
	}
	return places
}

// windowsProfile is the folder of Windows' user, which only Windows knows; empty where it does not say. The program answers
// in UTF-16, whose first half are the letters of all alphabets: with /u no code page spoils them.
func windowsProfile(e *Env, drives []string) string {
	for _, drive := range drives {
		shell := path.Join(drive, "Windows/System32/cmd.exe")
		if !machine.Exists(e.Machine.Files, shell) {
			continue
		}
		text, err := ask(e, "/init", shell, "/u", "/c", "echo.%USERPROFILE%")
		folder := strings.TrimRightFunc(utf16LE(text), unicode.IsControl)
		if err != nil || folder == "" {
			continue
		}
		place, err := ask(e, "wslpath", "-au", folder)
		if err != nil {
			e.debug("look for the folder of Windows' user: %v", err)
		}
		return strings.TrimSpace(place)
	}
	return ""
}

// utf16LE reads UTF-16; half a letter at the end is left out.
func utf16LE(text string) string {
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = uint16(text[2*i]) | uint16(text[2*i+1])<<8
	}
	return string(utf16.Decode(units))
}

// windowsFiles are the files that may be for this system, the first one to look for first.
func windowsFiles(f *machine.Facts, e *Env, profile string) (names []string) {
	name := windowsName(e)
	release := f.OSRelease()
	if release["NAME"] == "Ubuntu" {
		pro := path.Join(profile, ".ubuntupro/.cloud-init")
		names = append(names, path.Join(pro, name+".user-data"), path.Join(pro, "agent.yaml"))
	}
	id, version := release["ID"], release["VERSION_ID"]
	if id == "" {
		id = "linux"
	}
	if version == "" {
		version = release["VERSION_CODENAME"]
	}
	for _, base := range []string{name, id + "-" + version, id + "-all", "default"} {
		names = append(names, path.Join(profile, ".cloud-init", base+".user-data"))
	}
	return names
}

// windowsName is what Windows calls this system: the last part of //wsl.localhost/NAME/.
func windowsName(e *Env) string {
	text, _ := ask(e, "wslpath", "-am", "/")
	_, shared, found := strings.Cut(strings.TrimSpace(text), "//")
	_, name, parted := strings.Cut(shared, "/")
	if !found || !parted {
		return ""
	}
	return strings.TrimSuffix(name, "/")
}
