// Renders a chart as `helm template` does, with the same libraries (text/template, sprig, sigs.k8s.io/yaml,
// gojsonschema), because no helm is at hand. What it follows is in its functions; what it lacks: hooks, CRDs, aliases and
// conditions of dependencies, --set.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"
)

type Values = map[string]interface{}

type Release struct{ Name, Namespace string }

type File struct {
	Name string
	Data []byte
}

type Chart struct {
	Metadata  map[string]interface{} // Chart.yaml, with capital letters, as templates see it
	Values    Values
	Schema    []byte
	Templates []File
	Files     Files
	Charts    []*Chart
}

// What `.Files` is: everything in the chart that is not a part of it.
type Files map[string][]byte

func (f Files) Get(name string) string      { return string(f[name]) }
func (f Files) GetBytes(name string) []byte { return f[name] }

func (f Files) Glob(pattern string) Files {
	found := Files{}
	for name, data := range f {
		if ok, _ := filepath.Match(pattern, name); ok {
			found[name] = data
		}
	}
	return found
}

func (f Files) Lines(name string) []string { return strings.Split(string(f[name]), "\n") }

func (f Files) AsConfig() string {
	config := map[string]string{}
	for name, data := range f {
		config[filepath.Base(name)] = string(data)
	}
	return toYAML(config)
}

func (f Files) AsSecrets() string {
	secrets := map[string][]byte{}
	for name, data := range f {
		secrets[filepath.Base(name)] = data
	}
	return toYAML(secrets)
}

// What `.Capabilities` is, of a cluster that says nothing about itself.
type Capabilities struct {
	KubeVersion KubeVersion
	APIVersions VersionSet
}
type KubeVersion struct{ Version, Major, Minor string }
type VersionSet []string

func (v KubeVersion) GitVersion() string { return v.Version }
func (v KubeVersion) String() string     { return v.Version }
func (v VersionSet) Has(version string) bool {
	for _, known := range v {
		if known == version {
			return true
		}
	}
	return false
}

var capabilities = Capabilities{KubeVersion{"v1.31.0", "1", "31"}, VersionSet{"v1", "apps/v1"}}

func LoadChart(dir string) (*Chart, error) {
	chart := &Chart{Files: Files{}, Values: Values{}}
	var metadata map[string]interface{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if info.IsDir() {
			if filepath.Dir(name) == "charts" {
				sub, err := LoadChart(path)
				if err != nil {
					return err
				}
				chart.Charts = append(chart.Charts, sub)
				return filepath.SkipDir
			}
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch {
		case name == "Chart.yaml":
			return yaml.UnmarshalStrict(data, &metadata)
		case name == "values.yaml":
			return yaml.UnmarshalStrict(data, &chart.Values)
		case name == "values.schema.json":
			chart.Schema = data
		case strings.HasPrefix(name, "templates/"):
			chart.Templates = append(chart.Templates, File{name, data})
		default:
			chart.Files[name] = data
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if metadata["name"] == nil || metadata["version"] == nil {
		return nil, fmt.Errorf("%s: Chart.yaml has no name or no version", dir)
	}
	chart.Metadata = map[string]interface{}{}
	for key, value := range metadata {
		if key == "apiVersion" {
			key = "APIVersion"
		}
		chart.Metadata[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return chart, nil
}

func (c *Chart) Name() string { return c.Metadata["Name"].(string) }

func ReadValues(path string) (Values, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := Values{}
	if err := yaml.UnmarshalStrict(data, &values); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}

// MergeFiles: several values files; in maps the later one wins key by key, anything else it replaces. null stays, because
// it takes a default of the chart out later.
func MergeFiles(files ...Values) Values {
	merged := Values{}
	for _, file := range files {
		for key, value := range file {
			over, overIsMap := value.(map[string]interface{})
			under, underIsMap := merged[key].(map[string]interface{})
			if overIsMap && underIsMap {
				merged[key] = MergeFiles(under, over)
			} else {
				merged[key] = value
			}
		}
	}
	return merged
}

// Coalesce: the user's values over the chart's. null in the user's removes the key.
func Coalesce(user, defaults Values) Values {
	out := Values{}
	for key, value := range defaults {
		out[key] = deepCopy(value)
	}
	for key, value := range user {
		over, overIsMap := value.(map[string]interface{})
		under, underIsMap := out[key].(map[string]interface{})
		switch {
		case value == nil:
			delete(out, key)
		case overIsMap && underIsMap:
			out[key] = Coalesce(over, under)
		case overIsMap:
			out[key] = Coalesce(over, nil)
		default:
			out[key] = deepCopy(value)
		}
	}
	return out
}

func deepCopy(value interface{}) interface{} {
	switch v := value.(type) {
	case map[string]interface{}:
		out := map[string]interface{}{}
		for key, item := range v {
			out[key] = deepCopy(item)
		}
		return out
	case []interface{}:
		out := make([]interface{}, len(v))
		for i, item := range v {
			out[i] = deepCopy(item)
		}
		return out
	}
	return value
}

func (c *Chart) validate(values Values) error {
	if c.Schema == nil {
		return nil
	}
	result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(c.Schema), gojsonschema.NewGoLoader(values))
	if err != nil {
		return err
	}
	if result.Valid() {
		return nil
	}
	text := "values don't meet the schema of " + c.Name() + ":"
	for _, problem := range result.Errors() {
		text += "\n- " + problem.String()
	}
	return errors.New(text)
}

// What a template of one chart sees as its dot, and the templates below it.
type scope struct {
	chart    *Chart
	path     string // "pgtrickle" or "parent/charts/pgtrickle"
	data     map[string]interface{}
	children []*scope
}

func newScope(chart *Chart, path string, user Values, release Release, global interface{}) (*scope, error) {
	values := Coalesce(user, chart.Values)
	if global == nil {
		global = values["global"]
	}
	if global == nil {
		global = map[string]interface{}{}
	}
	values["global"] = global
	if err := chart.validate(values); err != nil {
		return nil, err
	}
	s := &scope{chart: chart, path: path}
	subcharts := map[string]interface{}{}
	for _, sub := range chart.Charts {
		own, _ := values[sub.Name()].(map[string]interface{})
		child, err := newScope(sub, path+"/charts/"+sub.Name(), own, release, global)
		if err != nil {
			return nil, err
		}
		values[sub.Name()] = child.data["Values"]
		subcharts[sub.Name()] = child.data
		s.children = append(s.children, child)
	}
	s.data = map[string]interface{}{
		"Chart":        chart.Metadata,
		"Values":       values,
		"Files":        chart.Files,
		"Capabilities": capabilities,
		"Subcharts":    subcharts,
		"Release": map[string]interface{}{
			"Name": release.Name, "Namespace": release.Namespace, "Service": "Helm", "Revision": 1, "IsInstall": true,
			"IsUpgrade": false,
		},
	}
	return s, nil
}

func (s *scope) walk(visit func(*scope)) {
	for _, child := range s.children {
		child.walk(visit)
	}
	visit(s)
}

type Object struct {
	Source string                 `json:"source"`
	Text   string                 `json:"-"`
	Object map[string]interface{} `json:"object"`
}

type Rendered struct {
	Objects []Object
	Notes   string
}

// Render: all templates of the chart and its dependencies, as objects, and the notes.
func Render(chart *Chart, release Release, user Values) (*Rendered, error) {
	root, err := newScope(chart, chart.Name(), user, release, nil)
	if err != nil {
		return nil, err
	}
	all := template.New("").Option("missingkey=zero")
	all.Funcs(functions(all))
	type page struct {
		name string
		of   *scope
	}
	var pages []page
	var failed error
	root.walk(func(s *scope) {
		for _, file := range s.chart.Templates {
			name := s.path + "/" + file.Name
			if _, err := all.New(name).Parse(string(file.Data)); err != nil && failed == nil {
				failed = err
			}
			pages = append(pages, page{name, s})
		}
	})
	if failed != nil {
		return nil, failed
	}
	sort.Slice(pages, func(i, j int) bool { return pages[i].name < pages[j].name })
	rendered := &Rendered{}
	for _, p := range pages {
		base := filepath.Base(p.name)
		if strings.HasPrefix(base, "_") {
			continue
		}
		data := map[string]interface{}{}
		for key, value := range p.of.data {
			data[key] = value
		}
		data["Template"] = map[string]interface{}{"Name": p.name, "BasePath": p.of.path + "/templates"}
		text, err := execute(all, p.name, data)
		if err != nil {
			return nil, err
		}
		if base == "NOTES.txt" {
			if p.of == root {
				rendered.Notes = text
			}
			continue
		}
		for _, document := range splitDocuments(text) {
			object := map[string]interface{}{}
			if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", p.name, err, document)
			}
			if len(object) > 0 {
				rendered.Objects = append(rendered.Objects, Object{p.name, document, object})
			}
		}
	}
	return rendered, nil
}

func splitDocuments(text string) []string {
	var documents []string
	current := ""
	for _, line := range strings.Split(text, "\n") {
		if line == "---" || strings.HasPrefix(line, "--- ") {
			documents = append(documents, current)
			current = ""
			continue
		}
		current += line + "\n"
	}
	return append(documents, current)
}

func execute(all *template.Template, name string, data interface{}) (string, error) {
	var out bytes.Buffer
	if err := all.ExecuteTemplate(&out, name, data); err != nil {
		return "", err
	}
	// missingkey=zero prints this for a key that is not there in a map of interfaces.
	return strings.ReplaceAll(out.String(), "<no value>", ""), nil
}

// What Helm adds to sprig, and takes out of it.
func functions(all *template.Template) template.FuncMap {
	funcs := sprig.TxtFuncMap()
	delete(funcs, "env")
	delete(funcs, "expandenv")
	depth := map[string]int{}
	more := template.FuncMap{
		"toYaml":        toYAML,
		"toJson":        func(v interface{}) string { data, _ := json.Marshal(v); return string(data) },
		"fromYaml":      fromYAML,
		"fromYamlArray": fromYAMLArray,
		"fromJson": func(text string) map[string]interface{} {
			out := map[string]interface{}{}
			if err := json.Unmarshal([]byte(text), &out); err != nil {
				out["Error"] = err.Error()
			}
			return out
		},
		"lookup": func(string, string, string, string) map[string]interface{} { return map[string]interface{}{} },
		"required": func(message string, value interface{}) (interface{}, error) {
			if value == nil || value == "" {
				return nil, errors.New(message)
			}
			return value, nil
		},
		"fail": func(message string) (string, error) { return "", errors.New(message) },
		"include": func(name string, data interface{}) (string, error) {
			if depth[name]++; depth[name] > 1000 {
				return "", fmt.Errorf("%s includes itself without end", name)
			}
			defer func() { depth[name]-- }()
			return execute(all, name, data)
		},
		"tpl": func(text string, data interface{}) (string, error) {
			copied, err := all.Clone()
			if err != nil {
				return "", err
			}
			if _, err := copied.New("tpl").Parse(text); err != nil {
				return "", err
			}
			return execute(copied, "tpl", data)
		},
	}
	for name, function := range more {
		funcs[name] = function
	}
	return funcs
}

func toYAML(value interface{}) string {
	data, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(data), "\n")
}

func fromYAML(text string) map[string]interface{} {
	out := map[string]interface{}{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		out["Error"] = err.Error()
	}
	return out
}

func fromYAMLArray(text string) []interface{} {
	out := []interface{}{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		out = []interface{}{err.Error()}
	}
	return out
}
