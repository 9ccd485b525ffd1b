import { mysql } from "../../lab/databases/helpers.ts";
import { loginChangesSuite } from "./login_changes_suite.ts";
import { migrateSuite } from "./migrate_suite.ts";
import { retiredLoginsSuite } from "./retired_logins_suite.ts";
import { rotateSuite } from "./rotate_suite.ts";
import { storeSuite } from "./store_suite.ts";

const dialect = await mysql();
storeSuite(dialect);
loginChangesSuite(dialect);
retiredLoginsSuite(dialect);
migrateSuite(dialect);
rotateSuite(dialect);
