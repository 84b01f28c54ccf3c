package machine

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// fatEntryText is an entry of a folder that leads to a cluster.
func fatEntryText(name string, attributes, flags byte, cluster uint16, size uint32) string {
	e := []byte(entry(name, attributes))
	e[12] = flags
	binary.LittleEndian.PutUint16(e[26:], cluster)
	binary.LittleEndian.PutUint32(e[28:], size)
	return string(e)
}

// longEntries are the entries before that of a short name.
func longEntries(name, short string) (text string) {
	units := utf16.Encode([]rune(name))
	if len(units)%13 != 0 {
		units = append(units, 0)
	}
	for len(units)%13 != 0 {
		units = append(units, 0xffff)
	}
	sum := fatEntry(entry(short, 0)).checksum()
	for i, last := len(units)/13, byte(0x40); i > 0; i, last = i-1, 0 {
		e := image(entry(string(rune(i)|rune(last))+strings.Repeat(" ", 10), 0x0f))
		e[13] = sum
		piece := units[(i-1)*13 : i*13]
		text += string(e.word(1, piece[:5]...).word(14, piece[5:11]...).word(28, piece[11:]...))
	}
	return text
}

// fatDisk has a file of two clusters, not in a row, and a folder that holds itself.
func fatDisk(bits int) image {
	root := entry("CIDATA     ", 0x08) + fatEntryText("HELLO   TXT", 0x20, 0x18, 3, 600) +
		longEntries("A long näme.text", "ALONGN~1TEX") + fatEntryText("ALONGN~1TEX", 0x20, 0, 3, 600) + fatEntryText("SUB        ", 0x10, 0x08, 4, 0)
	sub := entry(".          ", 0x10) + entry("..         ", 0x10) + fatEntryText("SUB        ", 0x10, 0x08, 4, 0) + fatEntryText("ROOT       ", 0x20, 0, 0, 0)
	table := image("\xf8\xff\xff\xff\x5f\x00\xff\xff\xff") // 3 leads to 5; 4 and 5 end
	switch bits {
	case 16:
		table = newImage(12).word(0, 0xfff8, 0xffff, 0xffff, 5, 0xffff, 0xffff)
	case 32:
		table = newImage(24).word(0, 0xfff8, 0xfff, 0xffff, 0xfff, 0xffff, 0xfff, 5, 0, 0xffff, 0xfff, 0xffff, 0xfff)
	}
	if bits == 32 {
		table.word(12, 5, 0)
		m := fat(1, 0, 0).word(32, 128).word(36, 1).word(44, 2)
		return m.text(512, string(table)).text(1536, root).text(2048, strings.Repeat("a", 512)).text(2560, sub).text(3072, strings.Repeat("b", 512))[:4096]
	}
	m := fat(1, 16, 1).word(19, 128)
	if bits == 16 {
		m.word(19, 5000).word(22, 20)
		return m.text(512, string(table)).text(41*512, root).text(43*512, strings.Repeat("a", 512)).text(44*512, sub).text(45*512, strings.Repeat("b", 512))[:24<<10]
	}
	return m.text(512, string(table)).text(1536, root).text(2560, strings.Repeat("a", 512)).text(3072, sub).text(3584, strings.Repeat("b", 512))[:4096]
}

// A seed of any size of disk is read, whatever the case of its names. Row D14.
func TestFAT(t *testing.T) {
	for _, bits := range []int{12, 16, 32} {
		files, err := openBytes(fatDisk(bits), openFAT)
		if err != nil {
			t.Fatalf("FAT%d: %v", bits, err)
		}
		if names, err := files.List("/"); err != nil || strings.Join(names, "|") != "A long näme.text|hello.txt|sub" {
			t.Errorf("FAT%d: there are %q, %v", bits, names, err)
		}
		for _, name := range []string{"hello.txt", "HELLO.TXT", "a LONG näme.text"} {
			if text, err := files.Read(name); err != nil || text != strings.Repeat("a", 512)+strings.Repeat("b", 88) {
				t.Errorf("FAT%d: %s is %q, %v", bits, name, text, err)
			}
		}
		if names, err := files.List("/sub/SUB/sub"); err != nil || strings.Join(names, "|") != "ROOT|sub" {
			t.Errorf("FAT%d: in the folder there are %q, %v", bits, names, err)
		}
	}
}

// Where a disk has two names that differ in case only, each finds its own.
func TestFATExactNameFirst(t *testing.T) {
	m := fatDisk(12).text(1536, fatEntryText("USER       ", 0x20, 0, 3, 1)+fatEntryText("USER       ", 0x20, 0x08, 5, 1))
	files, err := openBytes(m, openFAT)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"USER": "a", "user": "b", "User": "a"} {
		if text, err := files.Read(name); err != nil || text != want {
			t.Errorf("%s is %q, %v; want %q", name, text, err, want)
		}
	}
}

// A damaged disk is reported, and never read in a circle.
func TestFATDamaged(t *testing.T) {
	tests := map[string]struct {
		damage func(m image)
		want   string
	}{
		"a circle":            {func(m image) { m.text(512, "\xf8\xff\xff\xff\x3f\x00") }, "its chain of clusters comes to 3 twice"},
		"a short chain":       {func(m image) { m.text(512, "\xf8\xff\xff\xff\xff\xff") }, "its chain of clusters ends before it does"},
		"a free cluster":      {func(m image) { m.text(512, "\xf8\xff\xff\xff\x0f\x00") }, "its chain of clusters leads to 0, which is no cluster"},
		"beyond the clusters": {func(m image) { m.text(512, "\xf8\xff\xff\xff\xff\x0e") }, "its chain of clusters leads to 239, which is no cluster"},
		"beyond the disk":     {func(m image) { m.text(512, "\xf8\xff\xff\xff\xef\x01") }, "the disk ends before it does"},
		"too large":           {func(m image) { m.word(1536+32+28, 1, 64<<4) }, "it is larger than 64 MiB"},
	}
	for name, test := range tests {
		m := fatDisk(12)
		test.damage(m)
		files, err := openBytes(m, openFAT)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := files.Read("hello.txt"); err == nil || err.Error() != "read /hello.txt: "+test.want {
			t.Errorf("%s: the error is %v, want %s", name, err, test.want)
		}
	}
}

// A name that a program wrote that knows no long names counts before what is left of an old long one.
func TestFATNames(t *testing.T) {
	long := longEntries("fourteen units", "FOURTE~1   ")
	short := fatEntryText("FOURTE~1   ", 0x20, 0, 0, 0)
	tests := map[string]struct{ folder, want string }{
		"long":                      {long + short, "fourteen units"},
		"exactly one piece":         {longEntries("thirteen-long", "THIRTE~1   ") + entry("THIRTE~1   ", 0x20), "thirteen-long"},
		"beyond the first plane":    {longEntries("😀", "_          ") + entry("_          ", 0x20), "😀"},
		"half a pair":               {longEntries("ab", "_          ")[:1] + "\x00\xd8" + longEntries("ab", "_          ")[3:] + entry("_          ", 0x20), "\ufffdb"},
		"a piece is missing":        {long[:32] + short, "FOURTE~1"},
		"the first is missing":      {long[32:] + short, "FOURTE~1"},
		"of another file":           {long + fatEntryText("OTHER      ", 0x20, 0, 0, 0), "OTHER"},
		"deleted in between":        {long + entry("\xe5LD        ", 0x20) + short, "FOURTE~1"},
		"a label in between":        {long + entry("LABEL      ", 0x08) + short, "FOURTE~1"},
		"a long name with a slash":  {longEntries("../etc", "ETC        ") + entry("ETC        ", 0x20), ""},
		"a short name with a slash": {entry("A/B        ", 0x20), ""},
		"lower base":                {fatEntryText("USER    TXT", 0x20, 0x08, 0, 0), "user.TXT"},
		"lower extension":           {fatEntryText("USER    TXT", 0x20, 0x10, 0, 0), "USER.txt"},
		"both, of code page 437":    {fatEntryText("\x05\x90\x9a     \x8e  ", 0x20, 0x18, 0, 0), "σéü.ä"},
		"behind the end":            {entry("\x00          ", 0) + short, ""},
	}
	for name, test := range tests {
		records, err := (&fatFormat{}).records([]byte(test.folder))
		got := ""
		for _, r := range records {
			got += r.name
		}
		if err != nil || got != test.want {
			t.Errorf("%s: the names are %q, %v; want %q", name, got, err, test.want)
		}
	}
}

// fatDisks are what mkfs.vfat can make.
var fatDisks = map[string]struct {
	size    int64
	options string
}{
	"fat12":                   {2000 << 10, "-F 12 -s 1"},
	"fat12, 4 KiB clusters":   {8 << 20, "-F 12 -s 8"},
	"fat16":                   {16 << 20, "-F 16"},
	"fat16, 4 KiB clusters":   {32 << 20, "-F 16 -s 8"},
	"fat32":                   {40 << 20, "-F 32 -s 1"},
	"fat32, sectors of 4 KiB": {300 << 20, "-F 32 -S 4096 -s 1"},
	"as cloud-localds does":   {4 << 20, ""},
}

// makeFAT is a file with an empty file system.
func makeFAT(t *testing.T, name string) (file string) {
	t.Helper()
	disk := fatDisks[name]
	file = filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, disk.size); err != nil {
		t.Fatal(err)
	}
	argv := append([]string{"mkfs.vfat", "-n", "CIDATA"}, strings.Fields(disk.options)...)
	runTool(t, ".", append(argv, file)...)
	return file
}

// copyToFAT copies what is in a folder to a disk.
func copyToFAT(t *testing.T, file, dir string) {
	t.Helper()
	names, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	runTool(t, dir, append(append([]string{"mcopy", "-s", "-i", file}, names...), "::/")...)
}

// What mkfs.vfat and mtools write is read, byte for byte. Row D14.
func TestFATOfTools(t *testing.T) {
	for name := range fatDisks {
		t.Run(name, func(t *testing.T) {
			file, dir := makeFAT(t, name), seedTree(t)
			copyToFAT(t, file, dir)
			files := openImage(t, file, openFAT)
			compareTree(t, files, dir, sameName)
			if text, err := files.Read("/OpenStack/LATEST/meta_data.JSON"); err != nil || text != `{"uuid": "1"}` {
				t.Errorf("in other letters the metadata are %q, %v", text, err)
			}
		})
	}
}

// A file that was written between others lies in many pieces.
func TestFATFragments(t *testing.T) {
	file, dir := makeFAT(t, "fat12"), t.TempDir()
	for i := range 30 {
		writeFile(t, filepath.Join(dir, "piece"+strconv.Itoa(i)), strings.Repeat("x", 60_000))
	}
	copyToFAT(t, file, dir)
	for i := range 15 {
		runTool(t, dir, "mdel", "-i", file, "::/piece"+strconv.Itoa(2*i))
	}
	whole := t.TempDir()
	text := strings.Repeat(strings.Join(strings.Split("0123456789abcdefghijklmnopqrstuvwxyz", ""), "\n"), 8_000)
	writeFile(t, filepath.Join(whole, "user-data"), text)
	copyToFAT(t, file, whole)
	files := openImage(t, file, openFAT)
	got, err := files.Read("user-data")
	if err != nil || got != text {
		t.Errorf("the file has %d bytes, %v; want %d", len(got), err, len(text))
	}
	v := files.(walked).store.(*volume)
	r, err := v.find("user-data")
	if err != nil {
		t.Fatal(err)
	}
	if extents, err := v.extents(r); err != nil || len(extents) < 3 {
		t.Errorf("the file is in %d pieces, %v; the test wants more", len(extents), err)
	}
}

func FuzzFAT(f *testing.F) {
	for _, bits := range []int{12, 16, 32} {
		f.Add([]byte(fatDisk(bits)))
	}
	f.Fuzz(func(t *testing.T, disk []byte) {
		if len(disk) > 1<<18 {
			t.Skip("larger than a fuzzed disk has to be")
		}
		checkBounds(t, disk, openFAT)
	})
}
