package disk

import (
	"context"

	"openguest/internal/machine"
)

func (g Grower) volume(context.Context, machine.BlockDevice) []Result { return nil }
