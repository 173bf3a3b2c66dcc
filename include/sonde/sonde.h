/* sonde.h - the whole public interface.
 *
 * A model (model.h) is opened once and shared by threads; a session (session.h)
 * runs it on one thread; sites (site.h) name the places where values exist; edits
 * (edit.h) change them and wants (variants.h) show them; a result (result.h) is
 * what a method answers. */
#ifndef SONDE_SONDE_H
#define SONDE_SONDE_H
#include "sonde/array_file.h"
#include "sonde/bench.h"
#include "sonde/capture.h"
#include "sonde/cases.h"
#include "sonde/cells.h"
#include "sonde/edit.h"
#include "sonde/error.h"
#include "sonde/families.h"
#include "sonde/files.h"
#include "sonde/generate.h"
#include "sonde/graph.h"
#include "sonde/hub.h"
#include "sonde/linear.h"
#include "sonde/lines.h"
#include "sonde/logits.h"
#include "sonde/machine.h"
#include "sonde/model.h"
#include "sonde/pairs.h"
#include "sonde/product.h"
#include "sonde/random.h"
#include "sonde/result.h"
#include "sonde/save.h"
#include "sonde/sentence.h"
#include "sonde/session.h"
#include "sonde/site.h"
#include "sonde/stats.h"
#include "sonde/variants.h"
#include "sonde/version.h"
#endif
