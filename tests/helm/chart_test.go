package main

// The chart helm/pgtrickle, rendered with its examples and the files of values/: names, references, what the daemon says of
// its configuration, its paths and its series. Objects are written to $PGT_HELM_OBJECTS for schemas.js.

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

const chartDir = "../../helm/pgtrickle"

type object = map[string]interface{}

type setting struct {
	name    string
	release Release
	files   []string
}

func settings(t *testing.T) []setting {
	examples, _ := filepath.Glob(chartDir + "/examples/*.values.yaml")
	odd, _ := filepath.Glob("values/*.yaml")
	if len(examples) < 4 || len(odd) < 4 {
		t.Fatalf("%d examples and %d odd files of values", len(examples), len(odd))
	}
	var all []setting
	for _, file := range append(examples, odd...) {
		all = append(all, setting{filepath.Base(file), Release{"shop", "data"}, []string{file}})
	}
	// Helm lets names of releases be 53 characters, begin with digits and have dots.
	long := strings.Repeat("x", 52) + "y"
	for _, release := range []string{long, "7.shop-2.eu", "a-pgtrickle", strings.Repeat("a-", 26) + "b"} {
		all = append(all, setting{"release " + release, Release{release, strings.Repeat("n", 63)},
			[]string{chartDir + "/examples/external.values.yaml"}})
		all = append(all, setting{"release " + release + " beside", Release{release, "data"},
			[]string{chartDir + "/examples/zalando.values.yaml"}})
	}
	all = append(all, setting{"long release, long names", Release{long, "data"}, []string{"values/long_names.yaml"}})
	return append(all, setting{"two files", Release{"shop", "data"},
		[]string{chartDir + "/examples/external.values.yaml", "values/sidecar_root.yaml"}})
}

func valuesOf(t *testing.T, files ...string) Values {
	t.Helper()
	values := Values{}
	for _, file := range files {
		more, err := ReadValues(file)
		if err != nil {
			t.Fatal(err)
		}
		values = MergeFiles(values, more)
	}
	return values
}

func chart(t *testing.T) *Chart {
	t.Helper()
	chart, err := LoadChart(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

func render(t *testing.T, s setting) *Rendered {
	t.Helper()
	rendered, err := Render(chart(t), s.release, valuesOf(t, s.files...))
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return rendered
}

// at follows keys and indexes; nil if there is nothing.
func at(value interface{}, path ...interface{}) interface{} {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := value.(object)
			value = m[s]
		case int:
			l, _ := value.([]interface{})
			if s >= len(l) {
				return nil
			}
			value = l[s]
		}
	}
	return value
}

func list(value interface{}) []interface{} { l, _ := value.([]interface{}); return l }
func text(value interface{}) string        { s, _ := value.(string); return s }

func ofKind(rendered *Rendered, kind string) []object {
	var found []object
	for _, o := range rendered.Objects {
		if o.Object["kind"] == kind {
			found = append(found, o.Object)
		}
	}
	return found
}

func parse(t *testing.T, document string) object {
	t.Helper()
	out := object{}
	if err := yaml.UnmarshalStrict([]byte(document), &out); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	return out
}

// walk visits everything in a value, with the path to it.
func walk(value interface{}, path string, visit func(path, key string, value interface{})) {
	switch v := value.(type) {
	case object:
		for key, item := range v {
			visit(path, key, item)
			walk(item, path+"."+key, visit)
		}
	case []interface{}:
		for _, item := range v {
			walk(item, path+"[]", visit)
		}
	}
}

var (
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	serviceName  = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	labelName    = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	configKey    = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)
	envName      = regexp.MustCompile(`^[-._a-zA-Z][-._a-zA-Z0-9]*$`)
)

func fits(value string, pattern *regexp.Regexp, limit int) bool {
	return len(value) <= limit && pattern.MatchString(value)
}

func isLabelKey(key string) bool {
	name := key
	if slash := strings.Index(key, "/"); slash >= 0 {
		if !fits(key[:slash], dnsSubdomain, 253) {
			return false
		}
		name = key[slash+1:]
	}
	return fits(name, labelName, 63)
}

// problemsOfNames: what the API server would refuse of names, labels and annotations.
func problemsOfNames(o object) []string {
	var problems []string
	bad := func(what string, value interface{}) { problems = append(problems, fmt.Sprintf("%s: %v", what, value)) }
	name := text(at(o, "metadata", "name"))
	switch o["kind"] {
	case "Service":
		if !fits(name, serviceName, 63) {
			bad("name of a Service", name)
		}
	case "Deployment", "StatefulSet":
		// Pods are named after it, with 17 more characters, and their host names end at 63.
		if !fits(name, dnsLabel, 63-11) && o["kind"] == "StatefulSet" || !fits(name, dnsSubdomain, 63) {
			bad("name of a workload", name)
		}
	default:
		if !fits(name, dnsSubdomain, 253) {
			bad("name", name)
		}
	}
	if namespace := at(o, "metadata", "namespace"); namespace != nil && !fits(text(namespace), dnsLabel, 63) {
		bad("namespace", namespace)
	}
	walk(o, "", func(path, key string, value interface{}) {
		switch key {
		case "labels", "matchLabels", "selector":
			if key == "labels" && strings.Contains(path, ".rules") {
				return // of Prometheus
			}
			labels, _ := value.(object)
			for k, v := range labels {
				if k == "matchLabels" || k == "matchExpressions" {
					continue
				}
				if _, isText := v.(string); !isText || !isLabelKey(k) || text(v) != "" && !fits(text(v), labelName, 63) {
					bad("label of "+path, fmt.Sprintf("%s=%v", k, v))
				}
			}
		case "annotations":
			total := 0
			for k, v := range value.(object) {
				if _, isText := v.(string); !isText || !isLabelKey(k) && !strings.Contains(path, ".rules") {
					bad("annotation of "+path, fmt.Sprintf("%s=%v", k, v))
				}
				total += len(k) + len(text(v))
			}
			if total > 256<<10 {
				bad("annotations", total)
			}
		case "containers", "volumes":
			names := map[string]bool{}
			for _, item := range list(value) {
				n := text(at(item, "name"))
				if !fits(n, dnsLabel, 63) || names[n] {
					bad(key, n)
				}
				names[n] = true
			}
		case "ports":
			for _, port := range list(value) {
				if n := at(port, "name"); n != nil && !fits(text(n), dnsLabel, 15) {
					bad("name of a port", n)
				}
			}
		case "env":
			for _, variable := range list(value) {
				if n := text(at(variable, "name")); !fits(n, envName, 253) {
					bad("variable", n)
				}
			}
		}
	})
	if o["kind"] == "ConfigMap" {
		size := 0
		data, _ := o["data"].(object)
		for key, value := range data {
			if _, isText := value.(string); !isText || !fits(key, configKey, 253) {
				bad("key", key)
			}
			size += len(text(value))
		}
		if size > 1<<20 {
			bad("size", size)
		}
	}
	return problems
}

func TestNamesAndLabelsFit(t *testing.T) {
	for _, s := range settings(t) {
		seen := map[string]bool{}
		for _, o := range render(t, s).Objects {
			id := fmt.Sprint(o.Object["kind"], " ", at(o.Object, "metadata", "name"))
			if seen[id] {
				t.Errorf("%s: %s twice", s.name, id)
			}
			seen[id] = true
			if at(o.Object, "metadata", "namespace") != s.release.Namespace {
				t.Errorf("%s: %s is not in the namespace of the release", s.name, id)
			}
			for _, problem := range problemsOfNames(o.Object) {
				t.Errorf("%s: %s: %s", s.name, o.Source, problem)
			}
		}
		if len(seen) < 2 {
			t.Errorf("%s: %d objects", s.name, len(seen))
		}
	}
}

func TestLimitsAreChecked(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, document := range []string{
		"kind: Service\nmetadata: {name: 7up}", "kind: Service\nmetadata: {name: a.b}", "kind: ConfigMap\nmetadata: {name: A}",
		"kind: X\nmetadata: {name: a, labels: {b: " + long + "}}", "kind: X\nmetadata: {name: a, labels: {b: 1}}",
		"kind: X\nmetadata: {name: a, annotations: {b: true}}", "kind: X\nmetadata: {name: a, namespace: " + long + "}",
		"kind: X\nmetadata: {name: a}\nspec: {ports: [{name: more-than-15-characters}]}",
		"kind: X\nmetadata: {name: a}\nspec: {volumes: [{name: b}, {name: b}]}", "kind: Deployment\nmetadata: {name: " + long + "}",
	} {
		if len(problemsOfNames(parse(t, document))) == 0 {
			t.Errorf("no problem in\n%s", document)
		}
	}
}

// podSpecs: of the Deployment, and of the StatefulSet of the examples with the sidecar's patch.
func podSpecs(t *testing.T, rendered *Rendered) []object {
	t.Helper()
	var specs []object
	for _, o := range ofKind(rendered, "Deployment") {
		specs = append(specs, at(o, "spec", "template", "spec").(object))
	}
	for _, o := range patched(t, rendered) {
		specs = append(specs, at(o, "spec", "template", "spec").(object))
	}
	return specs
}

func patched(t *testing.T, rendered *Rendered) []object {
	t.Helper()
	var out []object
	for _, o := range ofKind(rendered, "ConfigMap") {
		patch := text(at(o, "data", "patch.yaml"))
		if patch == "" {
			continue
		}
		for _, document := range splitDocuments(readFile(t, chartDir+"/examples/statefulset.yaml")) {
			if target := parse(t, document); target["kind"] == "StatefulSet" {
				out = append(out, strategicMerge(target, parse(t, patch)).(object))
			}
		}
	}
	return out
}

// strategicMerge, as `kubectl patch` does: maps by key, lists of named things by name, other lists whole.
func strategicMerge(under, over interface{}) interface{} {
	switch o := over.(type) {
	case object:
		u, _ := under.(object)
		out := object{}
		for key, value := range u {
			out[key] = value
		}
		for key, value := range o {
			out[key] = strategicMerge(out[key], value)
		}
		return out
	case []interface{}:
		out := append([]interface{}{}, list(under)...)
		for _, item := range o {
			if at(item, "name") == nil {
				return over
			}
			found := false
			for i := range out {
				if at(out[i], "name") == at(item, "name") {
					out[i], found = strategicMerge(out[i], item), true
				}
			}
			if !found {
				out = append(out, item)
			}
		}
		return out
	}
	return over
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func daemonContainer(t *testing.T, spec object) object {
	t.Helper()
	for _, c := range list(spec["containers"]) {
		if at(c, "name") == "pgtrickled" {
			return c.(object)
		}
	}
	t.Fatal("no container pgtrickled")
	return nil
}

func TestReferencesHold(t *testing.T) {
	for _, s := range settings(t) {
		rendered := render(t, s)
		configs := map[string]bool{"server-ca": true, "ca": true} // of values: made by somebody else
		for _, o := range ofKind(rendered, "ConfigMap") {
			configs[text(at(o, "metadata", "name"))] = true
		}
		specs := podSpecs(t, rendered)
		if len(specs) != 1 {
			t.Fatalf("%s: %d pods", s.name, len(specs))
		}
		for _, spec := range specs {
			volumes := map[string]bool{}
			for _, v := range list(spec["volumes"]) {
				volumes[text(at(v, "name"))] = true
				if name := at(v, "configMap", "name"); name != nil && !configs[text(name)] {
					t.Errorf("%s: volume of a ConfigMap %v that nobody makes", s.name, name)
				}
			}
			c := daemonContainer(t, spec)
			mounted := map[string]bool{}
			for _, m := range list(c["volumeMounts"]) {
				mounted[text(at(m, "name"))] = true
				if !volumes[text(at(m, "name"))] || at(m, "readOnly") != true {
					t.Errorf("%s: mount %v has no volume, or is not read-only", s.name, m)
				}
			}
			for name := range volumes {
				if !mounted[name] {
					t.Errorf("%s: nobody mounts volume %s", s.name, name)
				}
			}
			ports := map[string]bool{}
			for _, p := range list(c["ports"]) {
				ports[text(at(p, "name"))] = true
			}
			uses := []interface{}{}
			for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
				if c[probe] != nil {
					uses = append(uses, at(c[probe], "httpGet", "port"))
				}
			}
			for _, o := range ofKind(rendered, "Service") {
				uses = append(uses, at(o, "spec", "ports", 0, "targetPort"))
			}
			for _, o := range ofKind(rendered, "PodMonitor") {
				uses = append(uses, at(o, "spec", "podMetricsEndpoints", 0, "port"))
			}
			for _, o := range ofKind(rendered, "NetworkPolicy") {
				uses = append(uses, at(o, "spec", "ingress", 0, "ports", 0, "port"))
			}
			for _, port := range uses {
				if !ports[text(port)] {
					t.Errorf("%s: port %v is not a port of the container", s.name, port)
				}
			}
		}
		for _, deployment := range ofKind(rendered, "Deployment") {
			labels := at(deployment, "spec", "template", "metadata", "labels").(object)
			var selectors []interface{}
			for _, o := range rendered.Objects {
				for _, path := range [][]interface{}{{"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"}} {
					selectors = append(selectors, at(o.Object, path...))
				}
				if o.Object["kind"] == "Service" {
					selectors = append(selectors, at(o.Object, "spec", "selector"))
				}
			}
			for _, constraint := range list(at(deployment, "spec", "template", "spec", "topologySpreadConstraints")) {
				selectors = append(selectors, at(constraint, "labelSelector", "matchLabels"))
			}
			for _, selector := range selectors {
				wanted, _ := selector.(object)
				for key, value := range wanted {
					if labels[key] != value {
						t.Errorf("%s: a selector wants %s=%v, the pods have %v", s.name, key, value, labels[key])
					}
				}
			}
			account := at(deployment, "spec", "template", "spec", "serviceAccountName")
			for _, o := range ofKind(rendered, "ServiceAccount") {
				if at(o, "metadata", "name") != account {
					t.Errorf("%s: the pods use another account than %v", s.name, account)
				}
			}
		}
	}
}

func TestNoPrivilegesAndNoSecrets(t *testing.T) {
	for _, s := range settings(t) {
		rendered := render(t, s)
		if len(ofKind(rendered, "Secret")) > 0 {
			t.Errorf("%s: makes a Secret", s.name)
		}
		for _, spec := range podSpecs(t, rendered) {
			c := daemonContainer(t, spec)
			if at(c, "securityContext", "readOnlyRootFilesystem") != true || at(c, "securityContext", "allowPrivilegeEscalation") != false ||
				at(c, "securityContext", "capabilities", "drop", 0) != "ALL" {
				t.Errorf("%s: the container may do too much: %v", s.name, c["securityContext"])
			}
			nonRoot, seccomp := at(c, "securityContext", "runAsNonRoot"), at(c, "securityContext", "seccompProfile", "type")
			if ours := len(ofKind(rendered, "Deployment")) > 0; ours {
				nonRoot, seccomp = at(spec, "securityContext", "runAsNonRoot"), at(spec, "securityContext", "seccompProfile", "type")
				if at(spec, "automountServiceAccountToken") != false {
					t.Errorf("%s: mounts the token of its account", s.name)
				}
			}
			if nonRoot != true || seccomp != "RuntimeDefault" || at(c, "resources", "limits", "memory") == nil {
				t.Errorf("%s: root, no seccomp profile, or no limit of memory", s.name)
			}
		}
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	base := Values{"databases": []interface{}{object{"dsn": "dbname=d"}}}
	if _, err := Render(chart(t), Release{"r", "n"}, base); err != nil {
		t.Fatal(err)
	}
	for message, values := range map[string]string{
		"name at least one database":     "databases: []",
		"databases.0.dsn":                "databases: [{dsn: host=a password=x}]",
		"databases.0.worker_dsn":         "databases: [{dsn: host=a, worker_dsn: 'postgresql://u:secret@h/d'}]",
		"pool is not allowed":            "databases: [{dsn: a, pool: 3}]",
		"relicas is not allowed":         "relicas: 3",
		"config: Additional property":    "config: {databases: []}",
		"loopback":                       "config: {http: {address: 127.0.0.1}}",
		"no loopback address":            "config: {http: {address: null}}",
		"config.http.port":               "config: {http: {port: 0}}",
		"refuses the scrapes":            "{config: {http: {allowed_hosts: x}}, podMonitor: {enabled: true}}",
		"needs sidecar.podLabels":        "{mode: sidecar, podMonitor: {enabled: true}}",
		"no worker_dsn":                  "databases: [{dsn: dbname=d, auth: {worker: {existingSecret: w}}}]",
		"nameOverride":                   "nameOverride: Not_A_Label",
		"mode must be one of":            "mode: daemonset",
		"image.digest":                   "image: {digest: sha256:1}",
		"extraEnv.0.name":                "extraEnv: [{name: PGPASSWORD, value: x}]",
		"podMonitor.interval":            "podMonitor: {interval: often}",
		"commonLabels.a":                 "commonLabels: {a: 'not a label!'}",
		"sidecar.runAsUser: Must be gre": "sidecar: {runAsUser: 0}",
	} {
		user := MergeFiles(base, parse(t, values))
		if _, err := Render(chart(t), Release{"r", "n"}, user); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v", values, err)
		}
	}
}

func TestVersionIsThatOfTheProject(t *testing.T) {
	version := regexp.MustCompile(`project\(pgtrickle VERSION ([0-9.]+)`).FindStringSubmatch(readFile(t, "../../CMakeLists.txt"))
	metadata := chart(t).Metadata
	if version == nil || metadata["AppVersion"] != version[1] || metadata["Version"] != version[1] {
		t.Errorf("helm/pgtrickle/Chart.yaml has %v and %v, CMakeLists.txt %v", metadata["Version"], metadata["AppVersion"], version)
	}
	for _, file := range []string{"deploy/compose.yaml", "deploy/Containerfile.daemon", "deploy/Containerfile.extension", "helm/pgtrickle/examples/cloudnativepg.cluster.yaml"} {
		for _, image := range regexp.MustCompile(`(?:pgtrickled|pgtrickle-extension):([0-9][0-9.]*)`).FindAllStringSubmatch(readFile(t, "../../"+file), -1) {
			if image[1] != version[1] {
				t.Errorf("%s names %s", file, image[0])
			}
		}
	}
}

// A parent chart that builds its own StatefulSet and includes the sidecar.
func TestSidecarOfAParentChart(t *testing.T) {
	dir := writeChart(t, map[string]string{
		"Chart.yaml":  "name: shop\nversion: 1.0.0\n",
		"values.yaml": "pgtrickle:\n  mode: sidecar\n  databases: [{dsn: host=127.0.0.1 dbname=shop user=a}]\n  auth: {admin: {existingSecret: s}}\n",
		"templates/s.yaml": `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres, namespace: data}
spec:
  serviceName: postgres
  selector: {matchLabels: {app: postgres}}
  template:
    metadata: {labels: {app: postgres}}
    spec:
      containers:
        - name: postgres
          image: postgres:17
        -
          {{- include "pgtrickle.sidecar.container" .Subcharts.pgtrickle | nindent 10 }}
      volumes:
        {{- include "pgtrickle.sidecar.volumes" .Subcharts.pgtrickle | nindent 8 }}
`})
	absolute, _ := filepath.Abs(chartDir)
	if err := os.MkdirAll(dir+"/charts", 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-r", absolute, dir+"/charts/pgtrickle").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	parent, err := LoadChart(dir)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := Render(parent, Release{"r", "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sets := ofKind(rendered, "StatefulSet")
	if len(sets) != 1 {
		t.Fatalf("%d StatefulSets", len(sets))
	}
	spec := at(sets[0], "spec", "template", "spec").(object)
	if c := daemonContainer(t, spec); at(c, "livenessProbe", "httpGet", "path") != "/live" || len(list(spec["volumes"])) != 2 {
		t.Errorf("got %v", spec)
	}
	keep(t, "parent chart", sets[0])
}

// ---- what the daemon says

func program(t *testing.T) string {
	t.Helper()
	build := os.Getenv("PGT_BUILD_DIR")
	if build == "" {
		build = "../../build"
	}
	path, _ := filepath.Abs(build + "/daemon/pgtrickled")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: build the target pgtrickled", err)
	}
	return path
}

// configOf: the daemon's file in the ConfigMap, and the secrets that it names as files of the test.
func configOf(t *testing.T, rendered *Rendered) (string, string) {
	t.Helper()
	dir := t.TempDir()
	for _, spec := range podSpecs(t, rendered) {
		for _, m := range list(daemonContainer(t, spec)["volumeMounts"]) {
			for _, v := range list(spec["volumes"]) {
				if at(v, "name") != at(m, "name") {
					continue
				}
				for _, source := range list(at(v, "projected", "sources")) {
					for _, item := range list(at(source, "secret", "items")) {
						path := filepath.Join(dir, text(at(m, "mountPath")), text(at(item, "path")))
						if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
							t.Fatal(err)
						}
						if err := os.WriteFile(path, []byte("a password\n"), 0o440); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	}
	for _, o := range ofKind(rendered, "ConfigMap") {
		if config := text(at(o, "data", "pgtrickled.yaml")); config != "" {
			return strings.ReplaceAll(config, "/etc/pgtrickle/secrets/", dir+"/etc/pgtrickle/secrets/"), dir
		}
	}
	t.Fatal("no ConfigMap has pgtrickled.yaml")
	return "", ""
}

func checkConfig(t *testing.T, config string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pgtrickled.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program(t), "--check-config", "--config", path).CombinedOutput()
	return string(out), err
}

func TestTheDaemonTakesItsConfiguration(t *testing.T) {
	for _, s := range settings(t) {
		rendered := render(t, s)
		config, _ := configOf(t, rendered)
		out, err := checkConfig(t, config)
		wanted := fmt.Sprintf("configuration is good: %d database(s)", len(list(valuesOf(t, s.files...)["databases"])))
		if err != nil || !strings.HasPrefix(out, wanted) {
			t.Errorf("%s: %v\n%s\n%s", s.name, err, out, config)
		}
		port := at(daemonContainer(t, podSpecs(t, rendered)[0]), "ports", 0, "containerPort")
		if read := at(parse(t, config), "http", "port"); read != port {
			t.Errorf("%s: the daemon listens on %v, the container says %v", s.name, read, port)
		}
	}
	rendered, err := Render(chart(t), Release{"r", "n"},
		parse(t, "{databases: [{dsn: dbname=d}], config: {scheduler: {default_shedule: 1s}}}"))
	if err != nil {
		t.Fatal(err)
	}
	config, _ := configOf(t, rendered)
	if out, err := checkConfig(t, config); err == nil || !strings.Contains(out, "did you mean 'default_schedule'?") {
		t.Errorf("a wrong key is not noticed: %v %s", err, out)
	}
	if out, err := checkConfig(t, readFile(t, "../../deploy/compose/pgtrickled.yaml")); err == nil || strings.Count(out, "/run/secrets/") != 2 ||
		strings.Count(out, "\n") != 2 {
		t.Errorf("deploy/compose/pgtrickled.yaml lacks its secrets here, and nothing else: %v %s", err, out)
	}
}

// get asks a daemon, with another Host if there is one.
func get(port int, path, host string) (int, string, error) {
	request, _ := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	request.Host = host
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// A running daemon whose database does not answer: it is alive, not ready, and has metrics.
func TestTheDaemonAnswersProbes(t *testing.T) {
	for _, s := range []setting{
		{"external", Release{"shop", "data"}, []string{chartDir + "/examples/external.values.yaml"}},
		{"allowed hosts", Release{"shop", "data"}, []string{"values/openshift.yaml"}},
	} {
		rendered := render(t, s)
		config, _ := configOf(t, rendered)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := listener.Addr().(*net.TCPAddr).Port
		listener.Close()
		settings := parse(t, config)
		for _, database := range list(settings["databases"]) {
			database.(object)["dsn"] = "host=127.0.0.1 port=1 dbname=nothing user=nobody"
		}
		settings["http"].(object)["port"] = port
		settings["http"].(object)["address"] = "127.0.0.1"
		path := filepath.Join(t.TempDir(), "pgtrickled.yaml")
		if err := os.WriteFile(path, []byte(toYAML(settings)), 0o600); err != nil {
			t.Fatal(err)
		}
		daemon := exec.Command(program(t), "--config", path)
		log := &strings.Builder{}
		daemon.Stderr = log
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- daemon.Wait() }()
		for i := 0; i < 600 && len(ended) == 0; i++ {
			if connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				connection.Close()
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		container := daemonContainer(t, podSpecs(t, rendered)[0])
		for probe, wanted := range map[string]int{"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503} {
			p := at(container, probe, "httpGet")
			status, body, err := get(port, text(at(p, "path")), text(at(p, "httpHeaders", 0, "value")))
			if err != nil || status != wanted {
				t.Errorf("%s: %s: %d %v %s", s.name, probe, status, err, body)
			}
		}
		for _, monitor := range ofKind(rendered, "PodMonitor") {
			status, body, err := get(port, text(at(monitor, "spec", "podMetricsEndpoints", 0, "path")), "10.0.0.7")
			if err != nil || status != 200 || !strings.Contains(body, "pgtrickle_build_info") {
				t.Errorf("%s: metrics: %d %v", s.name, status, err)
			}
		}
		if status, _, _ := get(port, "/nothing", "other"); status != 404 {
			t.Errorf("%s: a path that is not there: %d", s.name, status)
		}
		_ = daemon.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s: the daemon ended with %v\n%s", s.name, err, log)
			}
		case <-time.After(30 * time.Second):
			_ = daemon.Process.Kill()
			t.Errorf("%s: the daemon does not end", s.name)
		}
		if strings.Contains(log.String(), "a password") {
			t.Errorf("%s: the password is in the log", s.name)
		}
	}
}

// table reads the rows of a table of Markdown whose first cell is in backticks.
func table(t *testing.T, flag string) [][]string {
	t.Helper()
	out, err := exec.Command(program(t), flag).Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.HasPrefix(line, "| `") {
			cells := strings.Split(strings.Trim(line, "| "), " | ")
			for i := range cells {
				cells[i] = strings.Trim(cells[i], "` ")
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// series: each metric with its labels, histograms with their parts.
func series(t *testing.T) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, row := range table(t, "--print-metrics-docs") {
		labels := map[string]bool{}
		for _, label := range []string{"namespace", "job", "pod", "container", "instance"} { // of the PodMonitor
			labels[label] = true
		}
		for _, label := range strings.Split(row[3], ", ") {
			labels[label] = true
		}
		names := []string{row[0]}
		if row[1] == "histogram" {
			labels["le"] = true
			names = []string{row[0] + "_bucket", row[0] + "_sum", row[0] + "_count"}
		}
		for _, name := range names {
			all[name] = labels
		}
	}
	if len(all) < 30 {
		t.Fatalf("%d series", len(all))
	}
	return all
}

var (
	selectorPattern = regexp.MustCompile(`(pgtrickle_\w+)(?:\{([^}]*)\})?`)
	matcherPattern  = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"`)
	groupPattern    = regexp.MustCompile(`by \(([^)]*)\)`)
)

// problemsOfQuery: series and labels of a PromQL text that the daemon does not have.
func problemsOfQuery(query string, all map[string]map[string]bool) []string {
	var problems []string
	selectors := selectorPattern.FindAllStringSubmatch(query, -1)
	if len(selectors) == 0 || strings.Count(query, "(") != strings.Count(query, ")") {
		problems = append(problems, "no series, or open parentheses")
	}
	for _, selector := range selectors {
		labels, known := all[selector[1]]
		if !known {
			problems = append(problems, "no series "+selector[1])
		}
		for _, matcher := range matcherPattern.FindAllStringSubmatch(selector[2], -1) {
			if known && !labels[matcher[1]] {
				problems = append(problems, selector[1]+" has no label "+matcher[1])
			}
		}
		for _, group := range groupPattern.FindAllStringSubmatch(query, -1) {
			for _, label := range strings.Split(group[1], ", ") {
				if known && !labels[label] {
					problems = append(problems, selector[1]+" has no label "+label)
				}
			}
		}
	}
	return problems
}

func TestAlertsAreThoseOfTheDaemon(t *testing.T) {
	all := series(t)
	covered := map[string]bool{}
	rendered := render(t, setting{"external", Release{"shop", "data"}, []string{chartDir + "/examples/external.values.yaml"}})
	names := map[string]bool{}
	for _, rule := range list(at(ofKind(rendered, "PrometheusRule")[0], "spec", "groups", 0, "rules")) {
		name, query := text(at(rule, "alert")), text(at(rule, "expr"))
		for _, problem := range problemsOfQuery(query, all) {
			t.Errorf("%s: %s in %s", name, problem, query)
		}
		if strings.Contains(fmt.Sprint(rule), "SELECTOR") || strings.Contains(fmt.Sprint(rule), "REPLICAS") ||
			!strings.Contains(query, `namespace="data",job="data/shop-pgtrickle"`) || names[name] {
			t.Errorf("%s: %s", name, query)
		}
		names[name] = true
		if severity := at(rule, "labels", "severity"); severity != "warning" && severity != "critical" ||
			at(rule, "annotations", "summary") == nil || at(rule, "annotations", "description") == nil {
			t.Errorf("%s lacks a severity, a summary or a description", name)
		}
		kept := strings.Join(groupLabels(query), " ") + " value"
		for _, used := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(fmt.Sprint(at(rule, "annotations")), -1) {
			if !strings.Contains(" "+kept+" ", " "+used[1]+" ") {
				t.Errorf("%s: its text has %s, its result does not", name, used[1])
			}
		}
		covered[text(at(rule, "labels", "kind"))] = true
	}
	delete(covered, "")
	kinds := 0
	for _, row := range table(t, "--print-alerts-docs") {
		if len(row) < 6 {
			continue // the keys of the payload
		}
		if serious := row[1] == "warning" || row[1] == "error"; serious != covered[row[0]] {
			t.Errorf("alert %s of the daemon, severity %s: has a rule: %v", row[0], row[1], covered[row[0]])
		}
		kinds++
		delete(covered, row[0])
	}
	if kinds < 20 || len(covered) > 0 {
		t.Errorf("%d kinds, unknown: %v", kinds, covered)
	}
	without := render(t, setting{"odd", Release{"shop", "data"}, []string{"values/odd_names.yaml"}})
	for _, rule := range list(at(ofKind(without, "PrometheusRule")[0], "spec", "groups", 0, "rules")) {
		if at(rule, "alert") == "PgtricklePaused" || at(rule, "labels", "team") != "on" || !strings.Contains(text(at(rule, "expr")), `job=~"a|b\\.c"`) {
			t.Errorf("disabled, alertLabels or selector did nothing: %v", rule)
		}
	}
}

func groupLabels(query string) []string {
	if group := groupPattern.FindStringSubmatch(query); group != nil {
		return strings.Split(group[1], ", ")
	}
	return nil
}

func TestQueriesAreChecked(t *testing.T) {
	all := series(t)
	for _, query := range []string{"pgtrickle_nothing > 0", `pgtrickle_paused{colour="red"}`, "max by (schema) (pgtrickle_paused)",
		"max(pgtrickle_paused", "up == 0", "pgtrickle_tick_duration_seconds > 1"} {
		if len(problemsOfQuery(query, all)) == 0 {
			t.Errorf("no problem in %s", query)
		}
	}
}

func TestDashboardsShowSeriesThatExist(t *testing.T) {
	all := series(t)
	files, _ := filepath.Glob(chartDir + "/files/dashboards/*.json")
	rendered := render(t, setting{"external", Release{"shop", "data"}, []string{chartDir + "/examples/external.values.yaml"}})
	maps := 0
	for _, file := range files {
		var want, got object
		if err := json.Unmarshal([]byte(readFile(t, file)), &want); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, o := range ofKind(rendered, "ConfigMap") {
			if content := at(o, "data", filepath.Base(file)); content != nil {
				maps++
				if err := json.Unmarshal([]byte(text(content)), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s arrives as something else: %v", file, err)
				}
				if at(o, "metadata", "labels", "grafana_dashboard") != "1" {
					t.Errorf("%s: Grafana does not see it", file)
				}
			}
		}
		if uid := text(want["uid"]); uid == "" || len(uid) > 40 {
			t.Errorf("%s: uid %q", file, uid)
		}
		variables := map[string]bool{"__rate_interval": true}
		for _, v := range list(at(want, "templating", "list")) {
			variables[text(at(v, "name"))] = true
		}
		for _, used := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(readFile(t, file), -1) {
			if !variables[used[1]] {
				t.Errorf("%s: no variable %s", file, used[1])
			}
		}
		ids := map[interface{}]bool{}
		cells := map[[2]int]bool{}
		for _, panel := range list(want["panels"]) {
			if ids[at(panel, "id")] {
				t.Errorf("%s: two panels %v", file, at(panel, "id"))
			}
			ids[at(panel, "id")] = true
			grid := func(key string) int { n, _ := at(panel, "gridPos", key).(float64); return int(n) }
			for x := grid("x"); x < grid("x")+grid("w"); x++ {
				for y := grid("y"); y < grid("y")+grid("h"); y++ {
					if cells[[2]int{x, y}] || x >= 24 {
						t.Fatalf("%s: panel %v covers another, or is too wide", file, at(panel, "title"))
					}
					cells[[2]int{x, y}] = true
				}
			}
			for _, target := range list(at(panel, "targets")) {
				for _, problem := range problemsOfQuery(text(at(target, "expr")), all) {
					t.Errorf("%s: %v: %s", file, at(panel, "title"), problem)
				}
			}
		}
		if len(ids) < 10 {
			t.Errorf("%s: %d panels", file, len(ids))
		}
	}
	if len(files) == 0 || maps != len(files) {
		t.Errorf("%d dashboards, %d ConfigMaps", len(files), maps)
	}
}

// ---- for the schemas of Kubernetes

// keep writes an object for schemas.js, a line each.
func keep(t *testing.T, source string, o object) {
	t.Helper()
	path := os.Getenv("PGT_HELM_OBJECTS")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	line, err := json.Marshal(object{"source": source, "object": o})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(file, string(line))
}

func TestObjectsAreKeptForTheSchemas(t *testing.T) {
	for _, s := range settings(t) {
		rendered := render(t, s)
		for _, o := range rendered.Objects {
			keep(t, s.name+": "+o.Source, o.Object)
		}
		for _, o := range patched(t, rendered) {
			keep(t, s.name+": patched StatefulSet", o)
		}
	}
	for _, document := range splitDocuments(readFile(t, chartDir+"/examples/statefulset.yaml")) {
		keep(t, "examples/statefulset.yaml", parse(t, document))
	}
}

// The Zalando operator's resource has no schema in the packages; its fields, from the operator's reference.
func TestZalandoFields(t *testing.T) {
	sidecar := map[string]bool{"name": true, "image": true, "resources": true, "env": true, "ports": true, "command": true}
	volume := map[string]bool{"name": true, "mountPath": true, "subPath": true, "targetContainers": true, "volumeSource": true}
	for _, s := range settings(t) {
		rendered := render(t, s)
		for _, o := range ofKind(rendered, "ConfigMap") {
			if at(o, "data", "zalando.yaml") == nil {
				continue
			}
			spec := parse(t, text(at(o, "data", "zalando.yaml")))["spec"]
			for key := range at(spec, "sidecars", 0).(object) {
				if !sidecar[key] {
					t.Errorf("%s: a sidecar has no %s", s.name, key)
				}
			}
			mounts := list(at(daemonContainer(t, podSpecs(t, rendered)[0]), "volumeMounts"))
			volumes := list(at(spec, "additionalVolumes"))
			if len(mounts) != len(volumes) {
				t.Errorf("%s: %d mounts, %d volumes", s.name, len(mounts), len(volumes))
			}
			for i, v := range volumes {
				for key := range v.(object) {
					if !volume[key] {
						t.Errorf("%s: a volume has no %s", s.name, key)
					}
				}
				if at(v, "mountPath") == "" || at(v, "name") == nil || len(at(v, "volumeSource").(object)) != 1 {
					t.Errorf("%s: volume %d: %v", s.name, i, v)
				}
			}
		}
	}
}

func TestNotesSayWhatToDo(t *testing.T) {
	for _, s := range settings(t) {
		notes := render(t, s).Notes
		if strings.Contains(notes, "<no value>") || strings.Contains(notes, "%!") || !strings.Contains(notes, "install --worker-role") {
			t.Errorf("%s: %s", s.name, notes)
		}
	}
}
