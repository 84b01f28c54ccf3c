package machine

import "sync"

// shared is a store in memory that several goroutines may use, as they may the running system's: who follows a cloud listens in one,
// and acts in another.
type shared struct {
	mutex sync.Mutex
	below *Changes
}

func (s *shared) self() int { return s.below.self() }

func (s *shared) look(p place) (Node, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.below.look(p)
}

func (s *shared) read(p place) (string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.below.read(p)
}

func (s *shared) list(p place) ([]string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.below.list(p)
}

func (s *shared) put(p place, n Node) (string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.below.put(p, n)
}

func (s *shared) append(p place, data string, n Node) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.below.append(p, data, n)
}
