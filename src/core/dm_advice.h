/* The meaning of a reason and its detail, and the thing to do about it */

#ifndef DM_ADVICE_H
#define DM_ADVICE_H


#include "dm.h"


/*
 * Grave accents stand around what is typed or configured.  In a command a word
 * in capitals, as ID, is one that the reader puts in.
 */
typedef struct {
    const char  *reason;
    const char  *detail;        /* NULL: the reason itself */
    const char  *happened;
    const char  *todo;
} dm_advice_t;


/*
 * Finds the words on a reason, of a refusal or of a failed handshake; detail
 * may be empty, and a detail that is not known is as none.  A detail about
 * which nothing else is to be done has its reason's todo.  NULL: the reason is
 * not known.
 */
const dm_advice_t *dm_advice_reason(dm_str_t reason);
const dm_advice_t *dm_advice_detail(dm_str_t reason, dm_str_t detail);

/* the todo of the detail, or of the reason where the detail has none */
const char *dm_advice_todo(dm_str_t reason, dm_str_t detail);

/*
 * The place in text behind the next "dm-account" of a command, where the
 * options stand that name the store and its key.  NULL: there is none.
 */
const char *dm_advice_program(const char *text);

/* 1 if a shell takes the text for one word as it is, else 0: quote it */
int dm_advice_word(dm_str_t text);


#endif /* DM_ADVICE_H */
