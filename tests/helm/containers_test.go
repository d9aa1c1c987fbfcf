package main

// The Containerfiles, without a container runtime: what they copy exists, the packages that they install exist, what they
// run is a shell script that shellcheck likes; and what container-root.sh makes runs by itself.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const top = "../.."

type instruction struct{ name, rest string }

// instructions of a Containerfile, with lines that go on joined.
func instructions(text string) []instruction {
	var all []instruction
	line := ""
	for _, part := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(part)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		line += trimmed
		if strings.HasSuffix(line, "\\") {
			line = strings.TrimSuffix(line, "\\")
			continue
		}
		words := strings.SplitN(line, " ", 2)
		rest := ""
		if len(words) == 2 {
			rest = strings.TrimSpace(words[1])
		}
		all = append(all, instruction{words[0], rest})
		line = ""
	}
	return all
}

var known = map[string]bool{"FROM": true, "RUN": true, "COPY": true, "USER": true, "WORKDIR": true, "ARG": true, "EXPOSE": true,
	"ENTRYPOINT": true, "CMD": true}

// problemsOfContainerfile judges a text; packages is where names of Debian packages are collected.
func problemsOfContainerfile(text string, packages map[string]bool) []string {
	var problems []string
	bad := func(format string, values ...interface{}) {
		problems = append(problems, fmt.Sprintf(format, values...))
	}
	stages := map[string]bool{}
	arguments := map[string]bool{}
	for _, i := range instructions(text) {
		for _, used := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(i.rest, -1) {
			if (i.name == "FROM" || i.name == "COPY") && !arguments[used[1]] {
				bad("%s uses %s, which no ARG declares", i.name, used[1])
			}
		}
		switch i.name {
		case "ARG":
			arguments[strings.SplitN(i.rest, "=", 2)[0]] = true
		case "FROM":
			words := strings.Fields(i.rest)
			if image := words[0]; image != "scratch" && !stages[image] && (!strings.Contains(image, "/") || !strings.Contains(image, ":")) {
				bad("FROM %s: no registry or no tag", image)
			}
			if len(words) == 3 {
				stages[words[2]] = true
			}
		case "COPY":
			words := strings.Fields(i.rest)
			if strings.HasPrefix(words[0], "--from=") {
				if !stages[strings.TrimPrefix(words[0], "--from=")] {
					bad("COPY %s: no such stage", words[0])
				}
				continue
			}
			for _, source := range words[:len(words)-1] {
				if found, _ := filepath.Glob(filepath.Join(top, source)); len(found) == 0 {
					bad("COPY %s: there is no such file", source)
				} else if out, err := exec.Command("git", "-C", top, "check-ignore", source).Output(); err == nil {
					bad("COPY %s: git ignores it", out)
				}
			}
		case "RUN":
			check := exec.Command("shellcheck", "--shell=sh", "-")
			check.Stdin = strings.NewReader(i.rest + "\n")
			if out, err := check.CombinedOutput(); err != nil {
				bad("RUN: %s", out)
			}
			for _, install := range regexp.MustCompile(`apt-get install ([^&;]*)`).FindAllStringSubmatch(i.rest, -1) {
				for _, word := range strings.Fields(install[1]) {
					if !strings.HasPrefix(word, "-") {
						packages[word] = true
					}
				}
			}
		}
		if !known[i.name] {
			bad("unknown instruction %s", i.name)
		}
	}
	return problems
}

func TestContainerfiles(t *testing.T) {
	files, _ := filepath.Glob(top + "/deploy/Containerfile*")
	if len(files) < 2 {
		t.Fatalf("%d files", len(files))
	}
	packages := map[string]bool{}
	for _, file := range files {
		for _, problem := range problemsOfContainerfile(readFile(t, file), packages) {
			t.Errorf("%s: %s", file, problem)
		}
	}
	installed := " " + strings.Join(strings.Fields(readFile(t, top+"/deploy/install-deps.sh")), " ") + " "
	names := []string{"show", "--no-all-versions"}
	for name := range packages {
		names = append(names, name)
		// What the tests of the project build with is what the image builds with.
		if !strings.Contains(installed, " "+name+" ") && name != "make" && name != "tzdata" && name != "ca-certificates" {
			t.Errorf("package %s is not in deploy/install-deps.sh", name)
		}
	}
	out, _ := exec.Command("apt-cache", names...).Output() // fails if one of them is unknown
	status, _ := exec.Command("dpkg-query", append([]string{"-s"}, names[2:]...)...).Output()
	for name := range packages {
		if line := "Package: " + name + "\n"; !strings.Contains(string(out), line) && !strings.Contains(string(status), line) {
			t.Errorf("Debian has no package %s", name)
		}
	}
	if len(packages) < 15 {
		t.Errorf("%d packages", len(packages))
	}
}

func TestContainerfilesAreJudged(t *testing.T) {
	for _, text := range []string{"FROM debian", "FROM docker.io/library/debian:1\nCOPY nothing /x", "FROM docker.io/a/b:1\nCOPY --from=x /a /b",
		"FROM docker.io/a/b:1\nRUN cd x; rm -r $y/*", "FROM docker.io/a/b:${V}", "FROM docker.io/a/b:1\nCOPI a b"} {
		if len(problemsOfContainerfile(text, map[string]bool{})) == 0 {
			t.Errorf("no problem in\n%s", text)
		}
	}
	packages := map[string]bool{}
	problemsOfContainerfile("FROM docker.io/a/b:1\nRUN apt-get install -y one \\\n two && apt-get install three", packages)
	if fmt.Sprint(packages) != "map[one:true three:true two:true]" {
		t.Errorf("got %v", packages)
	}
}

// The daemon's image is not root, and starts what is in it.
func TestTheImageOfTheDaemon(t *testing.T) {
	last := map[string]string{}
	for _, i := range instructions(readFile(t, top+"/deploy/Containerfile.daemon")) {
		last[i.name] = i.rest
	}
	user := fmt.Sprint(at(chart(t).Values, "podSecurityContext", "runAsUser"))
	if last["FROM"] != "scratch" || last["USER"] != user+":"+user || last["ENTRYPOINT"] != `["/usr/bin/pgtrickled"]` {
		t.Errorf("got %v, the chart runs it as %s", last, user)
	}
	if config := fmt.Sprint(at(chart(t).Values, "config", "http", "port")); last["EXPOSE"] != config {
		t.Errorf("EXPOSE %s, the chart's port is %s", last["EXPOSE"], config)
	}
	daemon := program(t)
	cli := filepath.Join(filepath.Dir(daemon), "cli/pgtrickle")
	root := t.TempDir()
	if out, err := exec.Command(top+"/deploy/container-root.sh", root, daemon, cli).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, path := range []string{"etc/passwd", "usr/bin/pgtrickled", "usr/bin/pgtrickle", "usr/share/zoneinfo/Europe/Berlin",
		"etc/ssl/certs/ca-certificates.crt", "usr/share/doc/libpq5/copyright", "usr/share/doc/libc6/copyright"} {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"bin/sh", "usr/bin/sh", "usr/bin/apt", "usr/bin/env"} {
		if _, err := os.Stat(filepath.Join(root, path)); err == nil {
			t.Errorf("the image has %s", path)
		}
	}
	if os.Getuid() != 0 {
		t.Log("not root: nothing of the image was run")
		return
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"/usr/bin/pgtrickled", "--version"}, {"/usr/bin/pgtrickled", "--check-config"}, {"/usr/bin/pgtrickle", "--version"}} {
		out, err := exec.Command("chroot", append([]string{"--userspec=65532:65532", root}, command...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v %s", command, err, out)
		}
	}
}

// The files of the extension, where the image of CloudNativePG has them.
func TestTheImageOfTheExtension(t *testing.T) {
	text := readFile(t, top+"/deploy/Containerfile.extension")
	config, err := exec.LookPath("/usr/lib/postgresql/15/bin/pg_config")
	if err != nil {
		t.Fatal("postgresql-server-dev-15 is missing: deploy/install-deps.sh")
	}
	work := t.TempDir()
	for _, folder := range []string{"sql", "ext-min"} {
		if out, err := exec.Command("cp", "-r", filepath.Join(top, folder), work).CombinedOutput(); err != nil {
			t.Fatal(string(out))
		}
	}
	install := exec.Command("make", "-s", "-C", work+"/ext-min", "install", "DESTDIR="+work+"/staged", "PG_CONFIG="+config)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	staged := regexp.MustCompile(`cp -r /staged(\S+) `).FindStringSubmatch(text)
	if staged == nil {
		t.Fatal("nothing is copied out of /staged")
	}
	for _, file := range []string{"pg_trickle.control", "pg_trickle--*.sql"} {
		if found, _ := filepath.Glob(filepath.Join(work, "staged", staged[1], file)); len(found) != 1 {
			t.Errorf("%s: %v", file, found)
		}
	}
}

// What deploy/compose.yaml names exists, and its daemons may do little.
func TestCompose(t *testing.T) {
	compose := parse(t, readFile(t, top+"/deploy/compose.yaml"))
	for name, value := range compose["services"].(object) {
		if file := at(value, "build", "dockerfile"); file != nil {
			content, err := os.ReadFile(filepath.Join(top, text(file)))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if target := at(value, "build", "target"); target != nil && !strings.Contains(string(content), " AS "+text(target)+"\n") {
				t.Errorf("%s: %s has no stage %s", name, file, target)
			}
		}
		for _, volume := range list(at(value, "volumes")) {
			source := strings.Split(text(volume), ":")[0]
			if strings.HasPrefix(source, ".") {
				if _, err := os.Stat(filepath.Join(top, "deploy", source)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, named := compose["volumes"].(object)[source]; !named {
				t.Errorf("%s: no volume %s", name, source)
			}
		}
		for _, secret := range list(at(value, "secrets")) {
			file := text(at(compose, "secrets", text(secret), "file"))
			if file == "" || exec.Command("git", "-C", top+"/deploy", "check-ignore", "-q", file).Run() != nil {
				t.Errorf("%s: secret %s has no file, or git would take it", name, secret)
			}
		}
		for _, port := range list(at(value, "ports")) {
			if !strings.HasPrefix(text(port), "127.0.0.1:") {
				t.Errorf("%s publishes %s to everybody", name, port)
			}
		}
		if strings.HasPrefix(text(at(value, "image")), "pgtrickled:") && (at(value, "read_only") != true || at(value, "cap_drop", 0) != "ALL") {
			t.Errorf("%s: %v", name, value)
		}
	}
}
