module github.com/nvent-go/nvent/bench

go 1.26
