/* A line of dm-account batch as the command line that it stands for */

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "account/batch_line.h"
#include "account/verbs.h"


/* in the place of a file, which is not read */
#define DM_BATCH_GIVEN  "(the line)"


static int dm_batch_verb(dm_cli_t *cli, dm_batch_line_t *line);
static int dm_batch_field(dm_cli_t *cli, dm_batch_line_t *line,
    const char *name, json_t *value);
static int dm_batch_secret(dm_cli_t *cli, dm_batch_line_t *line,
    const char *option, const char **secret, json_t *value);
static int dm_batch_option(dm_cli_t *cli, dm_batch_line_t *line,
    const char *name, json_t *value);
static const struct option *dm_batch_find(const dm_verb_t *verb,
    const char *name);
static int dm_batch_values(dm_cli_t *cli, dm_batch_line_t *line,
    const char *option, json_t *value);
static int dm_batch_value(dm_cli_t *cli, dm_batch_line_t *line,
    const char *option, json_t *value);
static int dm_batch_word(dm_cli_t *cli, dm_batch_line_t *line,
    const char *before, const char *word);


static const dm_verb_t *const  dm_batch_verbs[] = {
    &dm_verb_add,
    &dm_verb_set,
    &dm_verb_disable,
    &dm_verb_enable,
    &dm_verb_unlock,
    &dm_verb_del,
    &dm_verb_show,
    NULL
};


int
dm_batch_parse(dm_cli_t *cli, dm_batch_line_t *line, dm_str_t text)
{
    int            rc;
    json_t        *value;
    const char    *name;

    line->json = json_loadb((const char *) text.data, text.len,
                            JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(line->json)) {
        return dm_cli_usage(cli, "the line is no JSON object");
    }

    rc = dm_batch_verb(cli, line);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    json_object_foreach(line->json, name, value) {
        rc = dm_batch_field(cli, line, name, value);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    rc = dm_batch_word(cli, line, "", "--");

    value = json_object_get(line->json, "id");

    if (rc == DM_CLI_DONE && value != NULL) {
        rc = dm_batch_value(cli, line, NULL, value);
    }

    line->argv[line->argc] = NULL;

    return rc;
}


void
dm_batch_wipe(dm_batch_line_t *line)
{
    json_decref(line->json);
    line->json = NULL;
    line->verb = NULL;
    line->argc = 0;

    OPENSSL_cleanse(line->text, line->used);
    line->used = 0;
}


static int
dm_batch_verb(dm_cli_t *cli, dm_batch_line_t *line)
{
    const char              *name;
    const dm_verb_t *const  *verb;

    name = json_string_value(json_object_get(line->json, "verb"));

    for (verb = dm_batch_verbs; name != NULL && *verb != NULL; verb++) {
        if (strcmp((*verb)->name, name) == 0) {
            line->verb = *verb;
            return dm_batch_word(cli, line, "", name);
        }
    }

    return dm_cli_usage(cli, "\"verb\" is none of add, set, disable, enable, "
                        "unlock, del and show");
}


static int
dm_batch_field(dm_cli_t *cli, dm_batch_line_t *line, const char *name,
    json_t *value)
{
    if (strcmp(name, "verb") == 0 || strcmp(name, "id") == 0
        || strcmp(name, "tag") == 0)
    {
        return DM_CLI_DONE;
    }

    if (strcmp(name, "password") == 0) {
        return dm_batch_secret(cli, line, "password-file",
                               &cli->line->password, value);
    }

    if (strcmp(name, "psk") == 0) {
        return dm_batch_secret(cli, line, "psk-file", &cli->line->psk, value);
    }

    return dm_batch_option(cli, line, name, value);
}


/* the secret itself becomes no word */
static int
dm_batch_secret(dm_cli_t *cli, dm_batch_line_t *line, const char *option,
    const char **secret, json_t *value)
{
    if (dm_batch_find(line->verb, option) == NULL || !json_is_string(value)) {
        return dm_cli_usage(cli, "a secret is a string, and not for this "
                            "verb or not so");
    }

    *secret = json_string_value(value);

    if (dm_batch_word(cli, line, "--", option) != DM_CLI_DONE) {
        return DM_CLI_USAGE;
    }

    return dm_batch_word(cli, line, "", DM_BATCH_GIVEN);
}


static int
dm_batch_option(dm_cli_t *cli, dm_batch_line_t *line, const char *name,
    json_t *value)
{
    char                  dashed[32], *p;
    const struct option  *option;

    (void) snprintf(dashed, sizeof(dashed), "%s", name);

    for (p = dashed; *p != '\0'; p++) {
        *p = (*p == '_') ? '-' : *p;
    }

    option = dm_batch_find(line->verb, dashed);

    if (option == NULL || option->val == DM_OPT_JSON
        || option->val == DM_OPT_HELP || option->val == DM_OPT_SECRET
        || option->val == DM_OPT_DRY_RUN)
    {
        return dm_cli_usage(cli, "\"%s\" is nothing that a line of this verb "
                            "has", name);
    }

    if (json_is_false(value) || json_is_null(value)) {
        return DM_CLI_DONE;
    }

    if ((option->has_arg == no_argument) != json_is_true(value)) {
        return dm_cli_usage(cli, "\"%s\" is %s", name,
                            option->has_arg == no_argument
                            ? "true or false"
                            : "a string, or an array of strings");
    }

    return json_is_true(value) ? dm_batch_word(cli, line, "--", dashed)
                               : dm_batch_values(cli, line, dashed, value);
}


static const struct option *
dm_batch_find(const dm_verb_t *verb, const char *name)
{
    const struct option  *option;

    for (option = verb->options; option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0) {
            return option;
        }
    }

    return NULL;
}


static int
dm_batch_values(dm_cli_t *cli, dm_batch_line_t *line, const char *option,
    json_t *value)
{
    int     rc;
    size_t  i;
    json_t  *one;

    if (!json_is_array(value)) {
        return dm_batch_value(cli, line, option, value);
    }

    json_array_foreach(value, i, one) {
        rc = dm_batch_value(cli, line, option, one);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    return DM_CLI_DONE;
}


/* option may be NULL: then it is an operand */
static int
dm_batch_value(dm_cli_t *cli, dm_batch_line_t *line, const char *option,
    json_t *value)
{
    const char  *text;

    text = json_string_value(value);

    if (text == NULL) {
        return dm_cli_usage(cli, "\"%s\" is a string, or an array of strings",
                            option ? option : "id");
    }

    if (option == NULL) {
        return dm_batch_word(cli, line, "", text);
    }

    if (strcmp(text, "-") == 0) {
        return dm_cli_usage(cli, "stdin has the lines of the batch: \"%s\" "
                            "is no file there", option);
    }

    if (dm_batch_word(cli, line, "--", option) != DM_CLI_DONE) {
        return DM_CLI_USAGE;
    }

    return dm_batch_word(cli, line, "", text);
}


static int
dm_batch_word(dm_cli_t *cli, dm_batch_line_t *line, const char *before,
    const char *word)
{
    size_t  len;

    len = strlen(before) + strlen(word) + 1;

    if (line->argc == DM_BATCH_WORDS || len > DM_BATCH_TEXT - line->used) {
        return dm_cli_usage(cli, "the line is too long");
    }

    line->argv[line->argc++] = line->text + line->used;
    (void) snprintf(line->text + line->used, len, "%s%s", before, word);
    line->used += len;

    return DM_CLI_DONE;
}
