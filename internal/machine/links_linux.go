package machine

import "context"

// liveLinks are those of the running kernel, by netlink.
type liveLinks struct {
	files  walked
	ledger *Ledger
}

func (l liveLinks) withoutLedger() Links { return liveLinks{files: l.files} }

func (l liveLinks) State() (LinkState, error) { return linksOfFiles(l.files), nil }

func (l liveLinks) Apply(changes ...LinkChange) (func() error, error) {
	return nothingToUndo, ErrOffline
}

func (l liveLinks) Wait(_ context.Context, until func(LinkState) bool) (LinkState, error) {
	return settledNow(l, until, ErrOffline)
}

func (l liveLinks) Packets(link string) (Packets, error) { return nil, ErrOffline }
