/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of libweir's interface. engine.h is where to begin reading; then stream.h (what bytes are), record.h (what records are),
 * parser.h and sink.h (to add your own).
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include "config.h"
#include "engine.h"
#include "error.h"
#include "export.h"
#include "flow.h"
#include "packet.h"
#include "parser.h"
#include "record.h"
#include "sink.h"
#include "stream.h"

#endif
