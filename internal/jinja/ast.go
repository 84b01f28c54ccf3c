package jinja

// An expr is an expression of a template; a stmt is a piece of text or a statement. Each knows its place.
type (
	expr interface{ where() pos }
	stmt interface{ where() pos }
)

type (
	constant struct {
		pos
		value any
	}
	nameExpr struct {
		pos
		name string
	}
	attrExpr struct {
		pos
		of   expr
		name string
	}
	itemExpr struct {
		pos
		of, key expr
	}
	sliceExpr struct { // only the key of an itemExpr
		pos
		low, high, step expr // nil where left out
	}
	callExpr struct {
		pos
		fn   expr
		args argList
	}
	filterExpr struct {
		pos
		of   expr // nil in a filter block, for the block's text
		name string
		args argList
	}
	testExpr struct {
		pos
		of   expr
		name string
		args argList
	}
	unaryExpr struct {
		pos
		op string
		x  expr
	}
	binaryExpr struct { // arithmetic, and, or
		pos
		op   string
		x, y expr
	}
	compareExpr struct {
		pos
		first expr
		rest  []comparison
	}
	concatExpr struct {
		pos
		parts []expr
	}
	condExpr struct {
		pos
		test, then, or expr // or is nil where left out
	}
	seqExpr struct { // a list or a tuple
		pos
		kind  seqKind
		items []expr
	}
	dictExpr struct {
		pos
		keys, values []expr
	}
)

type comparison struct {
	op string
	y  expr
}

// An argList is the arguments of a call.
type argList struct {
	plain []expr
	named []namedExpr
}

type namedExpr struct {
	name  string
	value expr
}

type (
	textStmt struct {
		pos
		text string
	}
	printStmt struct {
		pos
		value expr
	}
	doStmt struct {
		pos
		value expr
	}
	ifStmt struct {
		pos
		test     expr
		then, or []stmt
	}
	forStmt struct {
		pos
		target   expr
		over     expr
		test     expr // nil where left out
		body, or []stmt
	}
	setStmt struct {
		pos
		target, value expr
	}
	setBlock struct {
		pos
		target expr
		filter expr // nil where left out
		body   []stmt
	}
	withStmt struct {
		pos
		targets, values []expr
		body            []stmt
	}
	filterBlock struct {
		pos
		filter expr
		body   []stmt
	}
	macroStmt struct {
		pos
		name     string
		params   []string
		defaults []expr // of the last parameters
		body     []stmt
	}
	callBlock struct {
		pos
		call   *callExpr
		caller *macroStmt
	}
)

// namespaceTarget is "ns.name" on the left of a set.
type namespaceTarget struct {
	pos
	space, name string
}

// path is an expression as dotted names, or empty where it is something else.
func path(e expr) string {
	switch e := e.(type) {
	case *nameExpr:
		return e.name
	case *attrExpr:
		return join(path(e.of), e.name)
	case *itemExpr:
		if key, ok := e.key.(*constant); ok {
			return join(path(e.of), plain(key.value))
		}
	}
	return ""
}

func join(path, name string) string {
	if path == "" {
		return ""
	}
	return path + "." + name
}
