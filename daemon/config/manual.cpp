#include "config/manual.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <utility>
#include <vector>

namespace pgtrickle::config {
namespace {

using Options = std::vector<const CLI::Option*>;
using Commands = std::vector<const CLI::App*>;

bool is_hidden(const CLI::Option& option) {
  return option.get_group().empty();
}

/// What --help lists of this command; `positional`: its arguments, otherwise its options.
Options options_of(const CLI::App& app, bool positional) {
  Options options = app.get_options(
      [&](const CLI::Option* option) { return option->get_positional() == positional && !is_hidden(*option); });
  return options;
}

Commands commands_of(const CLI::App& app) {
  Commands commands = app.get_subcommands([](const CLI::App*) { return true; });
  return commands;
}

/// -h, --help
std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const auto& name : option.get_snames()) flags.push_back("-" + name);
  for (const auto& name : option.get_lnames()) flags.push_back("--" + name);
  return flags;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() != 0;
}

/// TEXT:{AUTO,IMMEDIATE}, as --help has it: what stands before the colon.
std::string value_name(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

/// And the values between the braces; empty: any.
std::vector<std::string> values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

bool is_file(const CLI::Option& option) {
  return value_name(option) == "FILE";
}

std::string join(const std::vector<std::string>& words, const std::string& between) {
  return CLI::detail::join(words, between);
}

// ---- man(7)

/// A hyphen that readers copy must be a minus, a backslash begins an escape, and a dot or quote at the start of a line
/// would make it a request.
std::string roff(const std::string& text) {
  std::string out;
  bool starts_line = true;
  for (const char c : text) {
    if (starts_line && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    starts_line = c == '\n';
  }
  return out;
}

std::string bold(const std::string& text) {
  return "\\fB" + roff(text) + "\\fR";
}
std::string italic(const std::string& text) {
  return "\\fI" + roff(text) + "\\fR";
}

std::string sentence(std::string text) {
  if (!text.empty() && text.back() != '.') text += '.';
  return text;
}

std::string man_option(const CLI::Option& option) {
  std::string tag, text = ".TP\n";
  if (option.get_positional()) {
    tag = italic(option.get_name(true));
  } else {
    for (const auto& flag : flags_of(option)) tag += (tag.empty() ? "" : ", ") + bold(flag);
    if (takes_value(option)) tag += " " + italic(value_name(option));
  }
  text += tag + "\n" + roff(sentence(option.get_description())) + "\n";
  if (const auto values = values_of(option); !values.empty()) {
    text += "One of " + roff(join(values, ", ")) + ".\n";
  }
  if (!option.get_default_str().empty()) text += "Default: " + roff(option.get_default_str()) + ".\n";
  std::vector<std::string> excluded;
  for (const auto* other : option.get_excludes()) excluded.push_back("\\fB" + roff(other->get_name()) + "\\fR");
  std::sort(excluded.begin(), excluded.end());  // the set is one of pointers
  if (!excluded.empty()) text += "Not together with " + join(excluded, ", ") + ".\n";
  return text;
}

std::string man_options(const CLI::App& app) {
  std::string text;
  for (const auto* option : options_of(app, true)) text += man_option(*option);
  for (const auto* option : options_of(app, false)) text += man_option(*option);
  return text;
}

std::string synopsis(const CLI::App& app, const std::string& program) {
  std::string text = bold(program) + " [" + italic("OPTIONS") + "]";
  for (const auto* option : options_of(app, true)) {
    const std::string name = italic(option->get_name(true)) + (option->get_items_expected_max() > 1 ? "..." : "");
    text += option->get_required() ? " " + name : " [" + name + "]";
  }
  return text;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return text;
}

// ---- shells

/// In single quotes of a POSIX shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// In single quotes of fish, where a backslash escapes.
std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

/// What zsh's _arguments takes for syntax.
std::string zsh_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// A function's name for a program's.
std::string identifier(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

std::string bash_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const auto* option : options_of(app, false)) {
    for (const auto& flag : flags_of(*option)) words.push_back(flag);
  }
  for (const auto* command : commands_of(app)) words.push_back(command->get_name());
  return join(words, " ");
}

/// The case branches for the values of a command's options. `pattern`: what the command's name has to match.
std::string bash_values(const CLI::App& app, const std::string& pattern) {
  std::string text;
  for (const auto* option : options_of(app, false)) {
    if (!takes_value(*option)) continue;
    std::vector<std::string> patterns;
    for (const auto& flag : flags_of(*option)) patterns.push_back(pattern + ":" + flag);
    text += "    " + join(patterns, "|") + ") ";
    if (const auto values = values_of(*option); !values.empty()) {
      text += "mapfile -t COMPREPLY < <(compgen -W " + quoted(join(values, " ")) + " -- \"$current\")";
    } else if (is_file(*option)) {
      text += "mapfile -t COMPREPLY < <(compgen -f -- \"$current\")";
    } else {
      text += "COMPREPLY=()";
    }
    text += "; return ;;\n";
  }
  return text;
}

/// The flags with a value, so that `--dsn install` is not taken for the command install.
std::vector<std::string> valued_flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const auto* option : options_of(app, false)) {
    if (!takes_value(*option)) continue;
    for (const auto& flag : flags_of(*option)) flags.push_back(flag);
  }
  return flags;
}

std::string bash_completion(const CLI::App& app, const std::string& program) {
  const std::string function = "_" + identifier(program);
  const Commands commands = commands_of(app);
  std::vector<std::string> names;
  for (const auto* command : commands) names.push_back(command->get_name());
  std::string text = "# bash completion for " + program + ". Generated: " + program + " --print-completion bash\n" +
                     function +
                     "() {\n  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n" +
                     "  local command='' words=''\n";
  if (!names.empty()) {
    text += "  local i\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    case ${COMP_WORDS[i]} in\n";
    if (const auto valued = valued_flags(app); !valued.empty()) text += "      " + join(valued, "|") + ") ((i++)) ;;\n";
    text += "      " + join(names, "|") + ") command=${COMP_WORDS[i]}; break ;;\n    esac\n  done\n";
  }
  text += "  case $command:$previous in\n";
  text += bash_values(app, "*");
  for (const auto* command : commands) text += bash_values(*command, command->get_name());
  text += "  esac\n  case $command in\n    '') words=" + quoted(bash_words(app)) + " ;;\n";
  for (const auto* command : commands) {
    text += "    " + command->get_name() + ") words=" + quoted(bash_words(*command)) + " ;;\n";
  }
  text += "  esac\n";
  for (const auto* command : commands) {
    const auto arguments = options_of(*command, true);
    if (std::none_of(arguments.begin(), arguments.end(), [](const auto* argument) { return is_file(*argument); }))
      continue;
    text += "  if [[ $command = " + command->get_name() + " && $current != -* ]]; then\n" +
            "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n    return\n  fi\n";
  }
  text += "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n}\n";
  return text + "complete -F " + function + " " + program + "\n";
}

std::string zsh_value(const CLI::Option& option) {
  std::string text = ":" + zsh_escaped(value_name(option)) + ":";
  if (const auto values = values_of(option); !values.empty()) return text + "(" + join(values, " ") + ")";
  return text + (is_file(option) ? "_files" : "");
}

std::string zsh_arguments(const CLI::App& app, const std::string& indent) {
  std::string text;
  for (const auto* option : options_of(app, false)) {
    for (const auto& flag : flags_of(*option)) {
      text += " \\\n" + indent +
              quoted(flag + "[" + zsh_escaped(option->get_description()) + "]" +
                     (takes_value(*option) ? zsh_value(*option) : ""));
    }
  }
  for (const auto* option : options_of(app, true)) {
    text += " \\\n" + indent +
            quoted("*:" + zsh_escaped(option->get_name(true)) + ":" + (is_file(*option) ? "_files" : ""));
  }
  return text;
}

std::string zsh_completion(const CLI::App& app, const std::string& program) {
  const std::string function = "_" + identifier(program);
  const Commands commands = commands_of(app);
  std::string text =
      "#compdef " + program + "\n# Generated: " + program + " --print-completion zsh\n" + function + "() {\n";
  if (commands.empty()) {
    text += "  _arguments" + zsh_arguments(app, "    ") + "\n";
  } else {
    text += "  local state line curcontext=$curcontext\n  local -a commands\n  commands=(\n";
    for (const auto* command : commands) {
      text += "    " + quoted(command->get_name() + ":" + zsh_escaped(command->get_description())) + "\n";
    }
    text += "  )\n  _arguments -C" + zsh_arguments(app, "    ") +
            " \\\n    '1:command:->command' \\\n    '*::argument:->argument'\n  case $state in\n" +
            "    command) _describe command commands ;;\n    argument)\n      case $line[1] in\n";
    for (const auto* command : commands) {
      text += "        " + command->get_name() + ")\n          _arguments" + zsh_arguments(*command, "            ") +
              " ;;\n";
    }
    text += "      esac ;;\n  esac\n";
  }
  return text + "}\n" + function + " \"$@\"\n";
}

std::string fish_options(const CLI::App& app, const std::string& start) {
  std::string text;
  for (const auto* option : options_of(app, false)) {
    text += start;
    for (const auto& name : option->get_snames()) text += " -s " + name;
    for (const auto& name : option->get_lnames()) text += " -l " + name;
    if (takes_value(*option)) {
      text += is_file(*option) ? " -r -F" : " -x";
      if (const auto values = values_of(*option); !values.empty()) text += " -a " + fish_quoted(join(values, " "));
    }
    text += " -d " + fish_quoted(option->get_description()) + "\n";
  }
  return text;
}

std::string fish_completion(const CLI::App& app, const std::string& program) {
  const std::string start = "complete -c " + program;
  std::string text = "# fish completion for " + program + ". Generated: " + program + " --print-completion fish\n";
  text += start + " -f\n" + fish_options(app, start);
  for (const auto* command : commands_of(app)) {
    const std::string seen = start + " -n " + fish_quoted("__fish_seen_subcommand_from " + command->get_name());
    text += start + " -n __fish_use_subcommand -a " + command->get_name() + " -d " +
            fish_quoted(command->get_description()) + "\n" + fish_options(*command, seen);
    for (const auto* argument : options_of(*command, true)) {
      if (is_file(*argument)) text += seen + " -F\n";
    }
  }
  return text;
}

std::string date_of_page() {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  const std::time_t seconds = epoch != nullptr ? static_cast<std::time_t>(std::atoll(epoch)) : std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

}  // namespace

std::string man_page(const CLI::App& app, const Manual& manual, const std::string& version, const std::string& date) {
  const Commands commands = commands_of(app);
  std::string text = ".\\\" Generated: " + manual.name + " --print-man\n.TH " + upper(manual.name) + " " +
                     std::to_string(manual.section) + " " + date + " \"" + roff(version) + "\"\n.SH NAME\n" +
                     roff(manual.name + " - " + manual.summary) + "\n.SH SYNOPSIS\n" + synopsis(app, manual.name) +
                     (commands.empty() ? "" : " " + italic("COMMAND") + " ...") + "\n.SH DESCRIPTION\n" +
                     roff(app.get_description()) + "\n.PP\n" + roff(app.get_footer()) + "\n.SH OPTIONS\n" +
                     man_options(app);
  if (!commands.empty()) text += ".SH COMMANDS\n";
  for (const auto* command : commands) {
    text += ".SS " + roff(command->get_name()) + "\n" + synopsis(*command, manual.name + " " + command->get_name()) +
            "\n.PP\n" + roff(command->get_description()) + "\n" + man_options(*command);
  }
  if (!manual.see_also.empty()) text += ".SH SEE ALSO\n" + roff(manual.see_also) + "\n";
  return text;
}

std::string completion(const CLI::App& app, const std::string& program, const std::string& shell) {
  if (shell == "zsh") return zsh_completion(app, program);
  return shell == "fish" ? fish_completion(app, program) : bash_completion(app, program);
}

void add_printing_flags(CLI::App& app, const Manual& manual, const std::string& version) {
  const std::string hidden;
  // CLI11 ends its output with a line break of its own.
  const auto print = [](std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    throw CLI::CallForVersion(std::move(text), 0);
  };
  app.add_flag_callback(
         "--print-man", [&app, manual, version, print] { print(man_page(app, manual, version, date_of_page())); },
         "print the manual page")
      ->group(hidden);
  app.add_option_function<std::string>(
         "--print-completion",
         [&app, manual, print](const std::string& shell) { print(completion(app, manual.name, shell)); },
         "print what completes this command line in bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->group(hidden);
}

}  // namespace pgtrickle::config
