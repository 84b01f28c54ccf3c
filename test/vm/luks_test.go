package vm

import "testing"

// encryptedRoot makes a root on LUKS, as images for confidential machines have it: with a key for growing it, once.
const encryptedRoot = `
modprobe dm_crypt
printf 'label: gpt\n,8M\n,,\n' | sfdisk --quiet /dev/vdb >/dev/null
head -c 32 /dev/urandom >/key
echo secret >/password
luks() { cryptsetup --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$@"; }
luks luksFormat --type luks2 --key-slot 0 /dev/vdb2 /password
luks luksAddKey --key-slot 1 --key-file /password /dev/vdb2 /key
cryptsetup open --key-file /password --disable-keyring /dev/vdb2 root
makefs /dev/mapper/root /new
head -c 20M /dev/urandom >/new/content
(cd /new && sha256sum content | sed "s, content, /content," >sum)
printf '{"key": "%s", "slot": 1}' "$(base64 -w 0 /key)" >/new/cc_growpart_keydata
`

// Row M07. An encrypted root has the whole disk after the boot, mapping and file system too, and the key that the image left for that is
// gone, from the disk and from the device: who found it could read everything. A second run finds nothing to do.
func TestEncryptedRoot(t *testing.T) {
	m := mapped(t, 1, encryptedRoot, "#cloud-config\nssh_genkeytypes: [ed25519]\n")
	checkAll(t, m, []check{
		{"the mapping", "blockdev --getsize64 /dev/vdb2 /dev/mapper/root; findmnt -no SOURCE /", "1064287744\n1047510528\n/dev/mapper/root\n"},
		{"the file system", "[ $(df --output=size -BM / | tail -n 1 | tr -d M) -gt 900 ] && sha256sum --check --quiet </sum && dmesg | grep -ci 'ext4-fs error' || true", "0\n"},
		{"the key", "ls /cc_growpart_keydata 2>&1 | grep -c 'No such file'; cryptsetup luksDump /dev/vdb2 | grep -c PBKDF:", "1\n1\n"},
		{"a second run", "openguest disk grow; openguest single --name growpart --frequency always; grep -c 'changed: disk' /var/log/cloud-init.log", "/dev/vdb2: unchanged, it fills the disk\n/: unchanged, the ext4 fills its device\n2\n"},
		{"the table", "sfdisk --verify /dev/vdb 2>&1 | grep -c 'No errors'; sgdisk -v /dev/vdb | grep -c 'No problems'", "1\n1\n"},
	})
}
