package module

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"openguest/internal/disk"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// keydata is where an image leaves the key for growing an encrypted device, once: {"key": BASE64, "slot": NUMBER}.
const keydata = "/cc_growpart_keydata"

// growEncrypted grows the mapping of an encrypted device whose partition has grown. The key and its slot are gone afterwards,
// whatever came of it.
func (g grower) growEncrypted(ctx context.Context, device machine.BlockDevice) disk.Result {
	result := disk.Result{Name: device.Path(), Outcome: disk.Skipped, Reason: "No encryption keyfile found"}
	key, slot, err := g.readKey()
	switch below := g.Facts.Below(device); {
	case errors.Is(err, fs.ErrNotExist):
		return result
	case err == nil && len(below) != 1:
		err = fmt.Errorf("it is made of %d devices", len(below))
	case err == nil:
		change := machine.Change{Argv: []string{"cryptsetup", "--key-file", "-", "resize", device.Path()}, Stdin: key}
		if err = g.Commands.Do(ctx, change); err == nil {
			result.Outcome, result.Reason = disk.Changed, fmt.Sprintf("Successfully resized encrypted volume '%s'", device.Path())
		}
		g.forgetKey(ctx, below[0].Path(), slot)
	}
	if err != nil {
		result.Outcome, result.Err = disk.Failed, fmt.Errorf("Resizing encrypted device (%s) failed: %w", device.Path(), err)
	}
	return result
}

// readKey reads the key and the number of its slot.
func (g grower) readKey() (key instance.Secret, slot int, err error) {
	text, err := g.Files.Read(keydata)
	if err != nil {
		return key, 0, err
	}
	var data struct {
		Key  string `json:"key"`
		Slot *int   `json:"slot"`
	}
	raw := []byte(nil)
	if err = json.Unmarshal([]byte(text), &data); err == nil {
		raw, err = base64.StdEncoding.DecodeString(data.Key)
	}
	if err != nil || data.Slot == nil {
		return key, 0, errors.New("Could not load encryption key. This is expected if the volume has been previously resized.")
	}
	return instance.Hide(string(raw)), *data.Slot, nil
}

// forgetKey takes the key away from the device, and its file.
func (g grower) forgetKey(ctx context.Context, partition string, slot int) {
	kill := machine.Change{Argv: []string{"cryptsetup", "luksKillSlot", "--batch-mode", partition, strconv.Itoa(slot)}}
	if err := g.Commands.Do(ctx, kill); err != nil {
		g.Warn("Failed to kill luks slot after resizing encrypted volume: %v", err)
	}
	if _, err := g.Files.Remove(keydata); err != nil {
		g.Warn("Failed to remove keyfile after resizing encrypted volume: %v", err)
	}
}
