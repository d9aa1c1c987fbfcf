package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// writeChart makes a chart of files in a folder of the test.
func writeChart(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if files["Chart.yaml"] == "" {
		files["Chart.yaml"] = "apiVersion: v2\nname: one\nversion: 1.2.3\nappVersion: \"7\"\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func renderFiles(t *testing.T, files map[string]string, user Values) (*Rendered, error) {
	t.Helper()
	chart, err := LoadChart(writeChart(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return Render(chart, Release{"rel", "space"}, user)
}

// renderOne renders one template whose only object is a map with the key x, and answers that.
func renderOne(t *testing.T, template, values string, user Values) interface{} {
	t.Helper()
	rendered, err := renderFiles(t, map[string]string{"templates/a.yaml": template, "values.yaml": values}, user)
	if err != nil {
		t.Fatal(err)
	}
	if len(rendered.Objects) != 1 {
		t.Fatalf("%d objects", len(rendered.Objects))
	}
	return rendered.Objects[0].Object["x"]
}

func TestBuiltInObjects(t *testing.T) {
	got := renderOne(t, `x: "{{ .Release.Name }} {{ .Release.Namespace }} {{ .Release.Service }} {{ .Release.IsInstall }} {{ .Chart.Name }} `+
		`{{ .Chart.Version }} {{ .Chart.AppVersion }} {{ .Template.Name }} {{ .Template.BasePath }} {{ .Capabilities.APIVersions.Has "v1" }}"`, "", nil)
	want := "rel space Helm true one 1.2.3 7 one/templates/a.yaml one/templates true"
	if got != want {
		t.Errorf("got %v", got)
	}
}

func TestValuesAreMergedAndNullTakesAKeyOut(t *testing.T) {
	defaults := "a: {b: 1, c: 2, d: {e: 3}}\nlist: [1, 2]\n"
	user := MergeFiles(Values{"a": Values{"b": 5.0, "c": 6.0}, "list": []interface{}{9.0}},
		Values{"a": Values{"c": nil, "d": Values{"f": 4.0}}})
	got := renderOne(t, "x: {{ .Values | toJson }}", defaults, user)
	want := map[string]interface{}{
		"a": map[string]interface{}{"b": 5.0, "d": map[string]interface{}{"e": 3.0, "f": 4.0}}, "list": []interface{}{9.0},
		"global": map[string]interface{}{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestFunctionsOfHelm(t *testing.T) {
	for template, want := range map[string]interface{}{
		`x: {{ include "greet" (dict "who" "you") }}` + "\n" + `{{- define "greet" }}hello-{{ .who }}{{ end }}`: "hello-you",
		`x: {{ tpl "{{ .Values.a }}-{{ include \"t\" . }}" . }}{{ define "t" }}in{{ end }}`:                     "1-in",
		`x: {{ (fromYaml "a: {b: c}").a.b }}`:                                                                   "c",
		`x: {{ index (fromYamlArray "[p, q]") 1 }}`:                                                             "q",
		`x: {{ hasKey (fromYaml "a: [") "Error" }}`:                                                             true,
		`x: {{ lookup "v1" "Secret" "space" "name" | empty }}`:                                                  true,
		`x: {{ required "needed" .Values.a }}`:                                                                  1.0,
		"x:\n  {{- toYaml (dict \"b\" (list 1 \"on\") \"a\" nil) | nindent 2 }}":                                map[string]interface{}{"a": nil, "b": []interface{}{1.0, "on"}},
		`x: "{{ .Values.none }}{{ .Values.none | default "d" }}"`:                                               "d",
		"x: 1\n{{- /* a comment */}}\n{{- if false }}\ny: 2\n{{- end }}":                                        1.0,
		`x: {{ .Values.a | int | add 2 }}`:                                                                      3.0,
		`x: "{{ printf "%s" (.Files.Get "notes/n.txt") | trim }}"`:                                              "text of a file",
		`x: {{ range $path, $_ := .Files.Glob "notes/*" }}{{ base $path }}{{ end }}`:                            "n.txt",
		`x: {{ (.Files.Glob "notes/*").AsConfig | fromYaml | toJson }}`:                                         map[string]interface{}{"n.txt": "text of a file"}, // as Helm's toYaml
	} {
		rendered, err := renderFiles(t, map[string]string{"templates/a.yaml": template, "values.yaml": "a: 1", "notes/n.txt": "text of a file\n"}, nil)
		if err != nil {
			t.Errorf("%s: %v", template, err)
		} else if got := rendered.Objects[0].Object["x"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v", template, got)
		}
	}
}

func TestWhatIsWrongFails(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"needed":           {"templates/a.yaml": `x: {{ required "needed" .Values.none }}`},
		"on purpose":       {"templates/a.yaml": `x: {{ fail "on purpose" }}`},
		"already set":      {"templates/a.yaml": "x: 1\nx: 2\n"},
		"function \"env\"": {"templates/a.yaml": `x: {{ env "HOME" }}`},
		"did not find":     {"templates/a.yaml": "x: [1\n"},
		"no template":      {"templates/a.yaml": `x: {{ include "nowhere" . }}`},
		"without end":      {"templates/a.yaml": `{{ define "r" }}{{ include "r" . }}{{ end }}x: {{ include "r" . }}`},
		"Invalid type":     {"templates/a.yaml": "x: 1", "values.yaml": "a: text", "values.schema.json": `{"properties": {"a": {"type": "integer"}}}`},
	} {
		if _, err := renderFiles(t, files, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDocumentsPartialsAndNotes(t *testing.T) {
	rendered, err := renderFiles(t, map[string]string{
		"templates/_p.tpl":    `{{ define "p" }}1{{ end }}not rendered`,
		"templates/b.yaml":    "{{ if false }}x: 0{{ end }}\n---\nx: {{ include \"p\" . }}\n---\n# nothing\n---\nx: 2\n",
		"templates/NOTES.txt": "Hello {{ .Release.Name }}",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rendered.Objects) != 2 || rendered.Notes != "Hello rel" {
		t.Errorf("%d objects, notes %q", len(rendered.Objects), rendered.Notes)
	}
}

func TestDependencies(t *testing.T) {
	rendered, err := renderFiles(t, map[string]string{
		"Chart.yaml":                      "name: parent\nversion: 1.0.0\n",
		"values.yaml":                     "sub: {a: from-parent}\nglobal: {g: all}\n",
		"templates/p.yaml":                `x: {{ include "sub.name" .Subcharts.sub }}`,
		"charts/sub/Chart.yaml":           "name: sub\nversion: 2.0.0\n",
		"charts/sub/values.yaml":          "a: own\nb: kept\n",
		"charts/sub/templates/_h.tpl":     `{{ define "sub.name" }}{{ .Values.a }}-{{ .Values.b }}-{{ .Values.global.g }}-{{ .Chart.Version }}{{ end }}`,
		"charts/sub/templates/own.yaml":   `x: {{ include "sub.name" . }}`,
		"charts/sub/templates/NOTES.txt":  "of the sub chart",
		"charts/sub/values.schema.json":   `{"properties": {"a": {"type": "string"}}}`,
		"charts/sub/charts/x/Chart.yaml":  "name: x\nversion: 1.0.0\n",
		"charts/sub/charts/x/values.yaml": "{}",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range rendered.Objects {
		if object.Object["x"] != "from-parent-kept-all-2.0.0" {
			t.Errorf("%s: %v", object.Source, object.Object["x"])
		}
	}
	if len(rendered.Objects) != 2 || rendered.Notes != "" {
		t.Errorf("%d objects, notes %q", len(rendered.Objects), rendered.Notes)
	}
}
