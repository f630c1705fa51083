/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell completions: see completions.h. Options, their words and their help come from the table of options, the keys of --set
 * from the same and the table of timeouts and limits, kinds of sinks from sinks.def; nothing is written down twice.
 */
#include "app/completions.h"

#include <string.h>

#include "app/options.h"
#include "app/settings.h"
#include "sink/sink.h"

#define COMMANDS   "ifaces doctor query stats slice"
#define INTERFACES "any $(command ls /sys/class/net 2>/dev/null)"

/* What an option's value is. */
enum value_kind {
	VALUE_NONE,
	VALUE_ANY,
	VALUE_WORDS,
	VALUE_FILE,
	VALUE_INTERFACE,
	VALUE_SINK,
	VALUE_KEY
};

static enum value_kind kind_of(const struct option_def *def)
{
	if (def->argument == NULL) {
		return VALUE_NONE;
	}
	if (def->words != NULL) {
		return VALUE_WORDS;
	}
	if (strcmp(def->argument, "FILE") == 0 || strcmp(def->argument, "DIR") == 0) {
		return VALUE_FILE;
	}
	if (strcmp(def->argument, "IFACE") == 0) {
		return VALUE_INTERFACE;
	}
	if (strcmp(def->name, "output") == 0) {
		return VALUE_SINK;
	}
	return strcmp(def->name, "set") == 0 ? VALUE_KEY : VALUE_ANY;
}

static void put_sinks(struct strbuf *out)
{
	const struct weir_sink_type *const *sinks = sink_list();
	size_t i;

	for (i = 0; sinks[i] != NULL; i++) {
		strbuf_str(out, i > 0 ? " " : "");
		strbuf_str(out, sinks[i]->name);
	}
}

/* Every key that a file may hold, with its sign. */
static void put_keys(struct strbuf *out)
{
	const struct option_def *options;
	const struct setting *settings;
	size_t i, n;

	options = options_table(&n);
	for (i = 0; i < n; i++) {
		if (!options[i].line_only) {
			strbuf_printf(out, "%s= ", options[i].name);
		}
	}
	settings = settings_table(&n);
	for (i = 0; i < n; i++) {
		strbuf_printf(out, "%s= ", settings[i].key);
	}
	strbuf_str(out, "filter= ticker=");
}

/* Words to choose from: blanks between. */
static void put_words(const struct option_def *def, struct strbuf *out)
{
	switch (kind_of(def)) {
	case VALUE_WORDS:
		strbuf_str(out, def->words);
		break;
	case VALUE_SINK:
		put_sinks(out);
		break;
	case VALUE_KEY:
		put_keys(out);
		break;
	case VALUE_INTERFACE:
	case VALUE_FILE:
	case VALUE_NONE:
	case VALUE_ANY:
		break;
	}
}

/* Help text inside single quotes; zsh takes [ ] and : for its own. */
static void put_doc(const char *doc, const char *careful, struct strbuf *out)
{
	for (; *doc != '\0'; doc++) {
		if (*doc == '\'') {
			strbuf_str(out, "'\\''");
			continue;
		}
		if (strchr(careful, *doc) != NULL) {
			strbuf_char(out, '\\');
		}
		strbuf_char(out, *doc);
	}
}

/* ---- bash ---- */

static void put_bash_case(const struct option_def *def, struct strbuf *out)
{
	enum value_kind kind = kind_of(def);

	if (kind == VALUE_NONE) {
		return;
	}
	strbuf_str(out, "\t");
	if (def->letter != 0) {
		strbuf_printf(out, "-%c | ", def->letter);
	}
	strbuf_printf(out, "--%s)\n", def->name);
	if (kind == VALUE_FILE) {
		strbuf_str(out, "\t\tcompopt -o filenames\n"
				"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n");
	} else if (kind != VALUE_ANY) {
		strbuf_str(out, kind == VALUE_SINK || kind == VALUE_KEY ? "\t\tcompopt -o nospace\n"
									: "");
		strbuf_str(out, "\t\tmapfile -t COMPREPLY < <(compgen -W \"");
		put_words(def, out);
		strbuf_str(out, kind == VALUE_INTERFACE ? INTERFACES : "");
		strbuf_str(out, "\" -- \"$cur\")\n");
	}
	strbuf_str(out, "\t\treturn\n\t\t;;\n");
}

static void write_bash(const struct option_def *table, size_t n, struct strbuf *out)
{
	size_t i;

	strbuf_str(out, "# bash completion for weir, made by: weir --completions=bash\n"
			"_weir()\n{\n"
			"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
			"\n"
			"\t# --option=value comes as three words\n"
			"\tif [ \"$cur\" = = ]; then\n\t\tcur=\n"
			"\telif [ \"$prev\" = = ] && [ \"$COMP_CWORD\" -ge 3 ]; then\n"
			"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
			"\tcase $prev in\n");
	for (i = 0; i < n; i++) {
		put_bash_case(&table[i], out);
	}
	strbuf_str(out, "\tesac\n\tcase $cur in\n\t-*)\n"
			"\t\tmapfile -t COMPREPLY < <(compgen -W \"");
	for (i = 0; i < n; i++) {
		strbuf_printf(out, i > 0 ? " --%s" : "--%s", table[i].name);
		if (table[i].letter != 0) {
			strbuf_printf(out, " -%c", table[i].letter);
		}
	}
	strbuf_str(out, "\" -- \"$cur\")\n\t\t;;\n\t*)\n"
			"\t\tif [ \"$COMP_CWORD\" = 1 ]; then\n"
			"\t\t\tmapfile -t COMPREPLY < <(compgen -W \"" COMMANDS "\" -- \"$cur\")\n"
			"\t\tfi\n\t\t;;\n\tesac\n}\ncomplete -F _weir weir\n");
}

/* ---- zsh ---- */

static void put_zsh_value(const struct option_def *def, struct strbuf *out)
{
	enum value_kind kind = kind_of(def);

	if (kind == VALUE_NONE) {
		return;
	}
	strbuf_char(out, ':');
	put_doc(def->argument, "[]:", out);
	strbuf_char(out, ':');
	if (kind == VALUE_FILE) {
		strbuf_str(out, "_files");
	} else if (kind == VALUE_INTERFACE) {
		strbuf_str(out, "(any ${(f)\"$(command ls /sys/class/net 2>/dev/null)\"})");
	} else if (kind != VALUE_ANY) {
		strbuf_char(out, '(');
		put_words(def, out);
		strbuf_char(out, ')');
	}
}

static void write_zsh(const struct option_def *table, size_t n, struct strbuf *out)
{
	size_t i;

	strbuf_str(out, "#compdef weir\n# made by: weir --completions=zsh\n_arguments -s \\\n");
	for (i = 0; i < n; i++) {
		const struct option_def *def = &table[i];
		bool value = def->argument != NULL;

		strbuf_str(out, "\t'*'");
		if (def->letter != 0) {
			strbuf_printf(out, "{-%c%s,--%s%s}", def->letter, value ? "+" : "",
				      def->name, value ? "=" : "");
		} else {
			strbuf_printf(out, "--%s%s", def->name, value ? "=" : "");
		}
		strbuf_str(out, "'[");
		put_doc(def->doc, "[]:", out);
		strbuf_char(out, ']');
		put_zsh_value(def, out);
		strbuf_str(out, "' \\\n");
	}
	strbuf_str(out, "\t'1:command:(" COMMANDS ")' \\\n\t'*:filter: '\n");
}

/* ---- fish ---- */

static void write_fish(const struct option_def *table, size_t n, struct strbuf *out)
{
	size_t i;

	strbuf_str(out, "# fish completion for weir, made by: weir --completions=fish\n"
			"complete -c weir -f\n"
			"complete -c weir -n __fish_use_subcommand -a '" COMMANDS "'\n");
	for (i = 0; i < n; i++) {
		const struct option_def *def = &table[i];
		enum value_kind kind = kind_of(def);

		strbuf_printf(out, "complete -c weir -l %s", def->name);
		if (def->letter != 0) {
			strbuf_printf(out, " -s %c", def->letter);
		}
		if (kind == VALUE_FILE) {
			strbuf_str(out, " -r -F");
		} else if (kind == VALUE_INTERFACE) {
			strbuf_str(out, " -x -a 'any (command ls /sys/class/net)'");
		} else if (kind == VALUE_ANY) {
			strbuf_str(out, " -x");
		} else if (kind != VALUE_NONE) {
			strbuf_str(out, " -x -a '");
			put_words(def, out);
			strbuf_char(out, '\'');
		}
		strbuf_str(out, " -d '");
		put_doc(def->doc, "", out);
		strbuf_str(out, "'\n");
	}
}

void completions_write(const char *shell, struct strbuf *out)
{
	size_t n;
	const struct option_def *table = options_table(&n);

	if (strcmp(shell, "bash") == 0) {
		write_bash(table, n, out);
	} else if (strcmp(shell, "zsh") == 0) {
		write_zsh(table, n, out);
	} else if (strcmp(shell, "fish") == 0) {
		write_fish(table, n, out);
	}
}
