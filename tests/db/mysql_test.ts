import { mysql } from "./helpers.ts";
import { migrateSuite } from "./migrate_suite.ts";
import { rotateSuite } from "./rotate_suite.ts";
import { storeSuite } from "./store_suite.ts";

const dialect = await mysql();
storeSuite(dialect);
migrateSuite(dialect);
rotateSuite(dialect);
