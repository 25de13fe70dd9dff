module github.com/nvent-go/nvent

go 1.26
