package main

import (
	"flag"
	"fmt"
	"os"
)

type paths []string

func (p *paths) String() string         { return fmt.Sprint(*p) }
func (p *paths) Set(value string) error { *p = append(*p, value); return nil }

// render.sh [-release NAME] [-namespace NAME] [-f VALUES]... CHART: what `helm template` prints, and the notes.
func main() {
	var files paths
	release := flag.String("release", "release-name", "name of the release")
	namespace := flag.String("namespace", "default", "its namespace")
	flag.Var(&files, "f", "a file of values; several are merged")
	flag.Parse()
	if err := run(Release{*release, *namespace}, files, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(release Release, files []string, dir string) error {
	chart, err := LoadChart(dir)
	if err != nil {
		return err
	}
	values := Values{}
	for _, file := range files {
		more, err := ReadValues(file)
		if err != nil {
			return err
		}
		values = MergeFiles(values, more)
	}
	rendered, err := Render(chart, release, values)
	if err != nil {
		return err
	}
	for _, object := range rendered.Objects {
		fmt.Printf("---\n# Source: %s\n%s", object.Source, object.Text)
	}
	fmt.Printf("---\n# NOTES:\n%s\n", rendered.Notes)
	return nil
}
