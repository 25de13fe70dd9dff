module github.com/nvent-go/nvent/adapters/redis

go 1.26.0

require (
	github.com/nvent-go/nvent v0.0.0
	github.com/redis/rueidis v1.0.79
)

require (
	github.com/expr-lang/expr v1.17.8 // indirect
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/ncruces/go-sqlite3 v0.37.0 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.5.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
)

require (
	github.com/netresearch/go-cron v0.9.1
	golang.org/x/sys v0.49.0 // indirect
)
