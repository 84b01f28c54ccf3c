package module

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/disk"
	"openguest/internal/machine"
)

// layoutKeys are the ways to write a layout: true, false, remove, or a list of sizes and of pairs of size and type.
type layoutKeys = conf.Either[conf.Truth, conf.Either[string, []conf.Either[numberOrText, []numberOrText]]]

// A layout is which partitions a disk should have.
type layout struct {
	label  string // of the table
	whole  bool   // one partition, or whatever partitions there are
	remove bool
	shares []share
}

// A share is a partition of a layout.
type share struct {
	percent float64
	kind    string // as it was given; empty where none was
}

// isNone says that nothing is asked for.
func (l layout) isNone() bool { return !l.remove && len(l.shares) == 0 }

// layout reads what is wanted of a disk. A list of which an entry is no size is an error as a whole: with other entries it
// would be another layout.
func (e *Env) layout(d conf.NamedItem[diskKeys]) (layout, error) {
	l := layout{label: strings.ToLower(d.Value.TableType)}
	if given := e.Config.At("disk_setup", d.Name, "table_type").Str(l.label); !strings.EqualFold(given, l.label) {
		return l, fmt.Errorf("the table type %q is none of mbr and gpt", given)
	}
	keys := d.Value.Layout
	switch {
	case keys.A != nil:
		if l.whole = keys.A.Or(false); l.whole {
			l.shares = []share{{percent: 100}}
		}
	case keys.B != nil && keys.B.A != nil:
		if l.remove = *keys.B.A == "remove"; !l.remove {
			return l, fmt.Errorf("the layout %q is none of true, false, remove and a list of percentages", *keys.B.A)
		}
	case keys.B != nil && keys.B.B != nil:
		if len(*keys.B.B) != len(e.Config.At("disk_setup", d.Name, "layout").Items) {
			return l, errors.New("an entry of the layout is no percentage; the disk is left alone")
		}
		for _, entry := range *keys.B.B {
			s, err := readShare(l.label, entry)
			if err != nil {
				return l, err
			}
			l.shares = append(l.shares, s)
		}
	}
	return l, nil
}

// readShare reads an entry of a list: a size, or a pair of a size and a type.
func readShare(label string, entry conf.Either[numberOrText, []numberOrText]) (s share, err error) {
	var size string
	switch {
	case entry.A != nil:
		size = textOf(*entry.A)
	case entry.B != nil && len(*entry.B) == 2:
		size, s.kind = textOf((*entry.B)[0]), textOf((*entry.B)[1])
	default:
		return s, errors.New("an entry of the layout is neither a percentage nor a pair of a percentage and a type")
	}
	if s.percent, err = strconv.ParseFloat(size, 64); err != nil || !(s.percent > 0 && s.percent <= 100) {
		return s, fmt.Errorf("%q is no percentage of a disk", size)
	}
	if s.kind != "" && disk.Type(label, s.kind) == "" {
		return s, fmt.Errorf("there is no type of partition %q in a table of the kind %s; for gpt, give its GUID", s.kind, label)
	}
	return s, nil
}

// fits says whether a table has the partitions that are wanted, as cloud-init compares them: how many, and of which types. Their
// sizes do not count, so that a disk that has grown is left alone.
func (l layout) fits(t *disk.Table) bool {
	parts := slices.DeleteFunc(slices.Clone(t.Partitions), func(p disk.Partition) bool { return p.Extended })
	if t.Label != l.label || len(parts) == 0 {
		return false
	}
	if l.whole {
		return true
	}
	return slices.EqualFunc(l.shares, byNumber(parts), func(s share, p disk.Partition) bool {
		return s.kind == "" || disk.Type(l.label, s.kind) == p.Type
	})
}

// byNumber are partitions in the order of their numbers, which need not be that on the disk.
func byNumber(parts []disk.Partition) []disk.Partition {
	parts = slices.Clone(parts)
	sort.SliceStable(parts, func(i, j int) bool { return parts[i].Number < parts[j].Number })
	return parts
}

// mbrReach is how many sectors an MBR can count.
const mbrReach = 1 << 32

// table is a new table with the partitions that are wanted.
func (l layout) table(b machine.Block) (*disk.Table, error) {
	if l.label == disk.MBR && b.Size()/b.Sector() > mbrReach {
		return nil, fmt.Errorf("it has %s, and an MBR reaches %s of it; give table_type: gpt", machine.Size(b.Size()), machine.Size(mbrReach*b.Sector()))
	}
	t, err := disk.New(l.label, b)
	if err != nil {
		return nil, err
	}
	for i, s := range l.shares {
		p := disk.Partition{Type: disk.Type(l.label, s.kind)}
		if free := t.Free(false); len(free) > 0 {
			p.Start = free[len(free)-1].Start
		}
		if i < len(l.shares)-1 {
			p.Size = int64(float64(b.Size()/b.Sector())*(s.percent/100)) * b.Sector()
		}
		if _, err := t.Add(p); err != nil {
			return nil, fmt.Errorf("make partition %d of %d: %w", i+1, len(l.shares), err)
		}
	}
	return t, nil
}
