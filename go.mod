module github.com/nvent-go/nvent

go 1.26

require (
	github.com/expr-lang/expr v1.17.8
	github.com/goccy/go-yaml v1.19.2
	github.com/google/uuid v1.6.0
	github.com/netresearch/go-cron v0.9.1
)
