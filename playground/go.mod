module github.com/nvent-go/nvent/playground

go 1.26
