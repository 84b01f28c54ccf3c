package machine

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// isoDisk is ISO 9660 of texts in blocks from the 16th on.
func isoDisk(blocks map[int]string) image {
	m := newImage(24 * isoSector)
	m.text(16*isoSector, isoDescriptor(1, "", 20)).text(17*isoSector, "\xffCD001")
	for block, text := range blocks {
		m.text(block*isoSector, text)
	}
	return m
}

// isoDescriptor is a volume descriptor with a root folder of one block.
func isoDescriptor(kind byte, escape string, block uint32) string {
	m := newImage(isoSector).text(0, string(rune(kind))+"CD001").text(88, escape).word(128, isoSector)
	return string(m.text(156, isoEntry("\x00", isoFolder, block, isoSector, "")))
}

// isoEntry is a record of a folder.
func isoEntry(id string, flags byte, block, size uint32, use string) string {
	m := newImage(33).text(25, string([]byte{flags}))
	binary.LittleEndian.PutUint32(m[2:], block)
	binary.LittleEndian.PutUint32(m[10:], size)
	m[32] = byte(len(id))
	if len(id)%2 == 0 {
		id += "\x00"
	}
	m = append(m, id+use...)
	m[0] = byte(len(m))
	return string(m)
}

// suspField is a field of Rock Ridge.
func suspField(kind string, data string) string {
	return kind + string([]byte{byte(4 + len(data)), 1}) + data
}

func bothEndian(numbers ...uint32) (text string) {
	for _, n := range numbers {
		text += string(binary.BigEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, n), n))
	}
	return text
}

func bigEndian16(name string) (text string) {
	for _, unit := range utf16.Encode([]rune(name)) {
		text += string([]byte{byte(unit >> 8), byte(unit)})
	}
	return text
}

// rockRoot is how a root folder lists itself where there is Rock Ridge.
func rockRoot(skip string) string {
	return isoEntry("\x00", isoFolder, 20, isoSector, suspField("SP", "\xbe\xef"+skip)+suspField("ER", "\x0a\x00\x00\x01RRIP_1991A"))
}

func rockName(name string) string { return suspField("NM", "\x00"+name) }

// rockDisk has one of everything.
func rockDisk() image {
	mode := func(m uint32) string { return suspField("PX", bothEndian(m, 1, 1000, 1000)) }
	more := rockName("-name")
	return isoDisk(map[int]string{
		20: rockRoot("\x00") + isoEntry("\x01", isoFolder, 20, isoSector, "") +
			isoEntry("FILE.;1", 0, 23, 4, rockName("A File")+mode(0o104640)) +
			isoEntry("LONG.;1", 0, 23, 4, suspField("NM", "\x01long")+suspField("CE", bothEndian(22, 0, uint32(len(more))))) +
			isoEntry("PLAIN.TXT;1", 0, 23, 4, "") +
			isoEntry("DEVICE.;1", 0, 23, 4, rockName("device")+mode(0o020666)) +
			isoEntry("LINK.;1", 0, 0, 0, rockName("link")+mode(0o120777)+suspField("SL", "\x01\x08\x00\x00\x03sub\x04\x00")+suspField("SL", "\x00\x01\x02A \x00\x04File")) +
			isoEntry("NOWHERE.;1", 0, 0, 0, rockName("nowhere")+mode(0o120777)) +
			isoEntry("FAR.;1", 0, 0, 0, rockName("far")+mode(0o120777)+suspField("CE", bothEndian(19, 0, isoSector))) +
			isoEntry("SUB", isoFolder, 20, isoSector, rockName("sub")+mode(0o040700)) +
			isoEntry("SLASH.;1", 0, 23, 4, rockName("../x")) +
			isoEntry("MOVED.;1", 0, 0, 0, rockName("moved")+mode(0o040755)+suspField("CL", bothEndian(21))) +
			isoEntry("RR_MOVED", isoFolder, 21, isoSector, rockName("rr_moved")+suspField("RE", "")),
		21: isoEntry("\x00", isoFolder, 21, isoSector, "") + isoEntry("DEEP.;1", 0, 23, 4, rockName("deep")),
		22: more,
		23: "text",
		19: strings.Repeat(suspField("SL", "\x01\x00\xc8"+strings.Repeat("far!", 50)), 6),
	})
}

// Names, kinds and permissions are those that Rock Ridge says, but nothing on a disk is anybody's own.
func TestRockRidge(t *testing.T) {
	files, err := openBytes(rockDisk(), openISO9660)
	if err != nil {
		t.Fatal(err)
	}
	want := "A File|device|far|link|long-name|moved|nowhere|plain.txt|sub"
	if names, err := files.List("/"); err != nil || strings.Join(names, "|") != want {
		t.Errorf("there are %q, %v; want %s", names, err, want)
	}
	for name, want := range map[string]Node{
		"A File": File(0o640, ""), "long-name": File(0o644, ""), "plain.txt": File(0o644, ""), "sub": Folder(0o700), "moved": Folder(0o755),
		"link": Link("/sub/../A File"), "device": specialNode, "far": specialNode, "nowhere": specialNode,
	} {
		if n, err := files.Look(name); err != nil || n != want {
			t.Errorf("%s is %v, %v; want %v", name, n, err, want)
		}
	}
	for _, name := range []string{"A File", "long-name", "plain.txt", "link", "moved/deep", "sub/sub/sub/moved/deep"} {
		if text, err := files.Read(name); err != nil || text != "text" {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
	for _, name := range []string{"device", "nowhere", "sub", "a file", "PLAIN.TXT"} {
		if text, err := files.Read(name); err == nil {
			t.Errorf("%s was read: %q", name, text)
		}
	}
}

// What stands before the fields of Rock Ridge belongs to others.
func TestRockRidgeSkip(t *testing.T) {
	files, err := openBytes(isoDisk(map[int]string{20: rockRoot("\x05") + isoEntry("A.;1", 0, 23, 0, "NM\x06\x01x"+rockName("right"))}), openISO9660)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := files.List("/"); err != nil || strings.Join(names, "|") != "right" {
		t.Errorf("there are %q, %v", names, err)
	}
}

// A record that says it goes on where it began ends all the same.
func TestRockRidgeCircle(t *testing.T) {
	circle := suspField("NM", "\x01name") + suspField("CE", bothEndian(22, 0, isoSector))
	files, err := openBytes(isoDisk(map[int]string{20: rockRoot("\x00") + isoEntry("A.;1", 0, 23, 0, circle), 22: circle}), openISO9660)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := files.List("/"); err != nil || strings.Join(names, "|") != strings.Repeat("name", 1+maxRockAreas) {
		t.Errorf("there are %q, %v", names, err)
	}
}

// isoTwoFolders has plain names in block 20 and Joliet's in block 21.
func isoTwoFolders(plain, joliet string) image {
	return isoDisk(map[int]string{17: isoDescriptor(2, "%/E", 21), 18: "\xffCD001", 20: plain, 21: joliet, 23: "text"})
}

// Of the names that a disk has, those count that Linux shows. Row D14.
func TestISONames(t *testing.T) {
	joliet := isoEntry(bigEndian16("User-Data;1"), 0, 23, 4, "") + isoEntry(bigEndian16("żółć 😀..."), 0, 23, 4, "")
	tests := map[string]struct {
		disk image
		want string
	}{
		"plain": {isoDisk(map[int]string{20: isoEntry("\x00", 2, 20, 0, "") + isoEntry("USER_DAT.;1", 0, 23, 4, "") + isoEntry("A.TXT;1", 0, 23, 4, "") +
			isoEntry("OLD.TXT;2", 0, 23, 4, "") + isoEntry("DIR", 2, 20, 0, "") + isoEntry("MORE.TXT;1", isoAssociated, 23, 4, "")}), "a.txt|dir|old.txt.2|user_dat"},
		"Joliet":                {isoTwoFolders(isoEntry("A.TXT;1", 0, 23, 4, ""), joliet), "User-Data|żółć 😀"},
		"Rock Ridge and Joliet": {isoTwoFolders(rockRoot("\x00")+isoEntry("A.TXT;1", 0, 23, 4, rockName("Rock")), joliet), "Rock"},
		"nothing":               {isoDisk(nil), ""},
	}
	for name, test := range tests {
		files, err := openBytes(test.disk, openISO9660)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if names, err := files.List("/"); err != nil || strings.Join(names, "|") != test.want {
			t.Errorf("%s: there are %q, %v; want %s", name, names, err, test.want)
		}
		if name == "Joliet" {
			if text, err := files.Read("user-data"); err != nil || text != "text" {
				t.Errorf("in other letters, the user-data are %q, %v", text, err)
			}
		}
	}
}

// A file may be in several records, one after the other.
func TestISOExtents(t *testing.T) {
	files, err := openBytes(isoDisk(map[int]string{
		20: isoEntry("BIG.;1", isoUnfinished, 21, isoSector, "") + isoEntry("BIG.;1", isoUnfinished, 23, isoSector, "") + isoEntry("BIG.;1", 0, 22, 3, "") +
			isoEntry("BIG.;1", 0, 22, 1, "") + isoEntry("ODD.;1", isoUnfinished, 22, 3, "") + isoEntry("TWO.;1", 0, 22, 2, ""),
		21: strings.Repeat("a", isoSector), 22: "end", 23: strings.Repeat("b", isoSector),
	}), openISO9660)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"big": strings.Repeat("a", isoSector) + strings.Repeat("b", isoSector) + "end", "odd": "end", "two": "en"} {
		if text, err := files.Read(name); err != nil || text != want {
			t.Errorf("%s has %d bytes, %v; want %d", name, len(text), err, len(want))
		}
	}
}

// A damaged disk is reported.
func TestISODamaged(t *testing.T) {
	root := func(text string) image { return isoDisk(map[int]string{20: text}) }
	tests := map[string]struct {
		disk image
		want string
	}{
		"nothing":            {newImage(64 << 10), "it has no primary volume descriptor"},
		"no size of blocks":  {isoDisk(nil).word(16*isoSector+128, 3000), "its blocks have 3000 bytes, which is no size of blocks"},
		"root beyond disk":   {isoDisk(map[int]string{16: isoDescriptor(1, "", 24)}), "its root folder cannot be read: the disk ends before it does"},
		"short record":       {root("\x21" + strings.Repeat("x", 60)), "its root folder cannot be read: the folder is damaged at its byte 0"},
		"name beyond record": {root("\x22" + strings.Repeat("\x00", 31) + "\x09aaaaaaaaaaaaa"), "its root folder cannot be read: the folder is damaged at its byte 0"},
	}
	for name, test := range tests {
		if _, err := openBytes(test.disk, openISO9660); err == nil || err.Error() != test.want {
			t.Errorf("%s: the error is %v, want %s", name, err, test.want)
		}
	}
	files, err := openBytes(root(isoEntry("HUGE.;1", 0, 20, 1<<31, "")+isoEntry("MIXED.;1", 0, 20, 4, "")).text(20*isoSector+40+26, "\x01"), openISO9660)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Read("huge"); err == nil || err.Error() != "read /huge: it is larger than 64 MiB" {
		t.Errorf("a file of 2 GiB: %v", err)
	}
	if _, err := files.Read("mixed"); err == nil || err.Error() != "read /mixed: it is a special file" {
		t.Errorf("a file that lies between others: %v", err)
	}
}

// isoTools make disks; plain ones of names that ISO 9660 allows.
var isoTools = map[string]string{
	"xorriso, Rock Ridge":                "xorriso -as mkisofs -quiet -V cidata -R -o DISK .",
	"xorriso, Rock Ridge and Joliet":     "xorriso -as mkisofs -quiet -V cidata -J -R -joliet-long -o DISK .",
	"xorriso, Joliet":                    "xorriso -as mkisofs -quiet -V cidata --norock -J -joliet-long -o DISK .",
	"xorriso, plain":                     "xorriso -as mkisofs -quiet -V CIDATA --norock -o DISK .",
	"genisoimage, Rock Ridge":            "genisoimage -quiet -V cidata -R -input-charset utf-8 -o DISK .",
	"genisoimage, Rock Ridge and Joliet": "genisoimage -quiet -V cidata -J -R -joliet-long -input-charset utf-8 -o DISK .",
	"genisoimage, Joliet":                "genisoimage -quiet -V cidata -J -joliet-long -input-charset utf-8 -o DISK .",
	"genisoimage, plain":                 "genisoimage -quiet -V CIDATA -input-charset utf-8 -o DISK .",
}

// makeISO is a file with what is in a folder.
func makeISO(t *testing.T, tool, dir string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "disk.iso")
	runTool(t, dir, strings.Fields(strings.Replace(isoTools[tool], "DISK", file, 1))...)
	return file
}

// What xorriso and genisoimage write is read, byte for byte. Row D14.
func TestISOOfTools(t *testing.T) {
	for tool := range isoTools {
		t.Run(tool, func(t *testing.T) {
			dir := seedTree(t)
			if strings.HasSuffix(tool, "plain") {
				dir = t.TempDir()
				for name, text := range map[string]string{"user.txt": "user", "meta": strings.Repeat("m", 5000), "sub/deeper/file.a": "x", "empty": ""} {
					writeFile(t, filepath.Join(dir, name), text)
				}
			}
			files := openImage(t, makeISO(t, tool, dir), openISO9660)
			compareTree(t, files, dir, sameName)
			if _, err := files.Read("/OpenStack/LATEST/meta_data.JSON"); strings.HasSuffix(tool, ", Joliet") != (err == nil) {
				t.Errorf("in other letters the metadata are %v", err)
			}
		})
	}
}

// Links and names longer than a record, and folders deeper than ISO 9660 allows, are read as they were.
func TestRockRidgeOfTools(t *testing.T) {
	for _, tool := range []string{"xorriso, Rock Ridge", "genisoimage, Rock Ridge"} {
		t.Run(tool, func(t *testing.T) {
			dir := t.TempDir()
			deep := strings.Repeat("folder/", 12) + "file"
			writeFile(t, filepath.Join(dir, deep), "deep")
			writeFile(t, filepath.Join(dir, strings.Repeat("long", 60)), "long")
			writeFile(t, filepath.Join(dir, "private"), "private")
			targets := map[string]string{"link": deep, "absolute": "/private", "dots": "./folder/../private"}
			if strings.HasPrefix(tool, "xorriso") { // genisoimage does not get to the end of longer ones
				targets["far"] = "/" + strings.Repeat("part/", 190) + "end"
				targets["wide"] = strings.Repeat("part", 60) + "/" + strings.Repeat("part", 62)
			}
			for name, target := range targets {
				if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Join(dir, "private"), 0o4600); err != nil {
				t.Fatal(err)
			}
			files := openImage(t, makeISO(t, tool, dir), openISO9660)
			for name, target := range targets {
				if n, err := files.Look(name); err != nil || n != Link(target) {
					t.Errorf("%s is %v, %v; want a link to %s", name, n, err, target)
				}
			}
			for name, want := range map[string]string{deep: "deep", "link": "deep", strings.Repeat("long", 60): "long", "absolute": "private", "dots": "private"} {
				if text, err := files.Read(name); err != nil || text != want {
					t.Errorf("%s is %q, %v", name, text, err)
				}
			}
			if n, err := files.Look("private"); err != nil || n != File(0o600, "") {
				t.Errorf("the private file is %v, %v", n, err)
			}
			if n, err := files.Look(path.Dir(deep)); err != nil || n.Mode != fs.ModeDir|0o755 {
				t.Errorf("the deepest folder is %v, %v", n, err)
			}
		})
	}
}

// A folder of more names than anybody needs is refused before it takes the memory.
func TestISOTooManyNames(t *testing.T) {
	text := ""
	for i := range 50 {
		text += isoEntry("F"+strconv.Itoa(100+i), 0, 20, 0, "")
	}
	m := isoDisk(nil)[:20*isoSector]
	for len(m) < 320*isoSector {
		m = append(m, newImage(isoSector).text(0, text)...)
	}
	m.word(16*isoSector+156+10, 300*isoSector&0xffff, 300*isoSector>>16)
	if _, err := openBytes(m, openISO9660); err == nil || !strings.HasSuffix(err.Error(), "the folder has more than 10000 names") {
		t.Errorf("the error is %v", err)
	}
}

func FuzzISO9660(f *testing.F) {
	for _, disk := range []image{rockDisk(), isoTwoFolders("", isoEntry(bigEndian16("User-Data;1"), 0, 23, 4, "")), isoDisk(map[int]string{20: isoEntry("A.;1", 0, 20, 4, "")})} {
		f.Add([]byte(disk[16*isoSector:]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<18 {
			t.Skip("larger than a fuzzed disk has to be")
		}
		checkBounds(t, append(newImage(16*isoSector), data...), openISO9660)
	})
}
