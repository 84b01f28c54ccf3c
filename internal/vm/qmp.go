package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"
)

// qmpWait is how long QEMU may take for one command. Taking a snapshot of the memory is the slowest.
const qmpWait = 2 * time.Minute

// A qmpReply is one message from QEMU. See https://www.qemu.org/docs/master/interop/qmp-spec.html.
type qmpReply struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Description string `json:"desc"`
	} `json:"error"`
}

// qmp gives QEMU a command over its socket, which takes one caller at a time, and returns its answer.
func qmp(ctx context.Context, socket, command string, arguments any) (json.RawMessage, error) {
	ctx, stop := context.WithTimeout(ctx, qmpWait)
	defer stop()
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("QEMU cannot be asked for %s: %w", command, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	in, out := json.NewDecoder(c), json.NewEncoder(c)
	var greeting json.RawMessage
	if err := in.Decode(&greeting); err != nil {
		return nil, fmt.Errorf("QEMU does not answer: %w", err)
	}
	if _, err := qmpAsk(in, out, "qmp_capabilities", nil); err != nil {
		return nil, err
	}
	return qmpAsk(in, out, command, arguments)
}

func qmpAsk(in *json.Decoder, out *json.Encoder, command string, arguments any) (json.RawMessage, error) {
	message := map[string]any{"execute": command}
	if arguments != nil {
		message["arguments"] = arguments
	}
	if err := out.Encode(message); err != nil {
		return nil, fmt.Errorf("QEMU cannot be asked for %s: %w", command, err)
	}
	for {
		var r qmpReply
		if err := in.Decode(&r); err != nil {
			return nil, fmt.Errorf("QEMU has not answered to %s: %w", command, err)
		}
		if r.Error != nil {
			return nil, fmt.Errorf("QEMU refuses %s: %s", command, r.Error.Description)
		}
		if r.Return != nil { // else it is an event
			return r.Return, nil
		}
	}
}

// QMP gives QEMU a command of its machine protocol and returns the answer: device_add and device_del for hot-plug, stop and cont.
func (m *Machine) QMP(ctx context.Context, command string, arguments any) (json.RawMessage, error) {
	return qmp(ctx, m.socket(), command, arguments)
}

// monitor gives a command of the human monitor, for the few that have no other form.
func (m *Machine) monitor(ctx context.Context, line string) error {
	answer, err := m.QMP(ctx, "human-monitor-command", map[string]string{"command-line": line})
	if err != nil {
		return err
	}
	var text string
	if json.Unmarshal(answer, &text) == nil && strings.TrimSpace(text) != "" {
		return fmt.Errorf("QEMU refuses %s: %s", line, strings.TrimSpace(text))
	}
	return nil
}
