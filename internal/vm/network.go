package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"github.com/containers/gvisor-tap-vsock/pkg/types"
	"github.com/containers/gvisor-tap-vsock/pkg/virtualnetwork"
	"github.com/sirupsen/logrus"
)

// metadataAddress is where clouds have their metadata server.
const metadataAddress = "169.254.169.254"

// mtu is that of GCE's networks, which is the smallest that clouds have.
const mtu = 1460

// Each network interface is in a network of its own: 10.0.2.0/24, 10.0.3.0/24 and so on, the machine has .15 in it.

func subnetOf(nic int) string  { return fmt.Sprintf("10.0.%d.0/24", 2+nic) }
func gatewayOf(nic int) string { return fmt.Sprintf("10.0.%d.2", 2+nic) }
func addressOf(nic int) string { return fmt.Sprintf("10.0.%d.15", 2+nic) }
func macOf(nic int) string     { return fmt.Sprintf("52:54:00:12:34:%02x", 0x56+nic) }

// A network is one Ethernet segment with a router that gives out the address by DHCP, answers DNS and leads to the host's network.
// All of it is in this process; QEMU brings the frames over a socket.
type network struct {
	router *virtualnetwork.VirtualNetwork
	socket net.Listener
	path   string
}

// newNetwork makes the network of an interface, with its socket in a folder.
func newNetwork(ctx context.Context, dir string, nic int) (*network, error) {
	logrus.SetOutput(io.Discard) // it reports every machine that is switched off
	c := &types.Configuration{
		MTU: mtu, Subnet: subnetOf(nic), GatewayIP: gatewayOf(nic), GatewayMacAddress: fmt.Sprintf("52:55:0a:00:%02x:02", 2+nic),
		DHCPStaticLeases: map[string]string{addressOf(nic): macOf(nic)}, Protocol: types.QemuProtocol,
	}
	if nic == 0 {
		c.GatewayVirtualIPs = []string{metadataAddress}
		c.DNS = []types.Zone{{Name: "google.internal.", Records: []types.Record{{Name: "metadata", IP: net.ParseIP(metadataAddress)}}}}
	}
	router, err := virtualnetwork.New(c)
	if err != nil {
		return nil, fmt.Errorf("make the network %s: %w", c.Subnet, err)
	}
	n := &network{router: router, path: filepath.Join(dir, fmt.Sprintf("nic%d.sock", nic))}
	if n.socket, err = net.Listen("unix", n.path); err != nil {
		return nil, fmt.Errorf("make the socket of the network %s: %w", c.Subnet, err)
	}
	go n.carry(ctx)
	return n, nil
}

// carry carries the frames of each QEMU that connects, one after another.
func (n *network) carry(ctx context.Context) {
	for {
		c, err := n.socket.Accept()
		if err != nil {
			return
		}
		_ = n.router.AcceptQemu(ctx, c) // it ends with the machine, which says why
	}
}

func (n *network) close() { n.socket.Close() }

// dial connects to a TCP port of the machine.
func (n *network) dial(ctx context.Context, nic, port int) (net.Conn, error) {
	return n.router.DialContextTCP(ctx, net.JoinHostPort(addressOf(nic), fmt.Sprint(port)))
}

// forward leads connections to a port of 127.0.0.1 to one of the machine.
func (n *network) forward(ctx context.Context, from, to int) (io.Closer, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", from))
	if err != nil {
		return nil, fmt.Errorf("port %d cannot be led into the machine: %w; give another --ssh-port", from, err)
	}
	go func() {
		for {
			outside, err := l.Accept()
			if err != nil {
				return
			}
			go n.join(ctx, outside, to)
		}
	}()
	return l, nil
}

func (n *network) join(ctx context.Context, outside net.Conn, to int) {
	defer outside.Close()
	inside, err := n.dial(ctx, 0, to)
	if err != nil {
		return
	}
	defer inside.Close()
	go func() {
		_, _ = io.Copy(inside, outside)
		if half, ok := inside.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	_, _ = io.Copy(outside, inside)
}

var errNoNetwork = errors.New("the machine has no network interface")
