import { SQLITE } from "./helpers.ts";
import { migrateSuite } from "./migrate_suite.ts";
import { rotateSuite } from "./rotate_suite.ts";
import { storeSuite } from "./store_suite.ts";

storeSuite(SQLITE);
migrateSuite(SQLITE);
rotateSuite(SQLITE);
